import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { DiscoveryDocument, PublicJwks } from "../../../../src/protocol/identity.ts";
import { parseSigningKeys, type SigningKey } from "../../../../src/worker/crypto/signing.ts";
import { discoveryDocument, publicJwks } from "../../../../src/worker/identity/discovery.ts";
import { createIssuer } from "../../../../src/worker/identity/issuer.ts";
import { systemRandom } from "../../../../src/worker/lib/bytes.ts";
import { type EpochMs, type EpochSeconds, plusSeconds, toSeconds } from "../../../../src/worker/lib/time.ts";
import { gitContext, idOf, startedAt } from "../fixtures.ts";

const jwk = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
const signing = await parseSigningKeys([["SIGNING_KEY_1", JSON.stringify({ ...jwk, activates_at: 0 })]]);
const [key] = signing.keys;
if (key === undefined) throw new Error("no key");
const named = (kid: string, activatesAt: number): SigningKey => ({
  ...key,
  kid,
  activatesAt: activatesAt as EpochSeconds,
  publicJwk: { ...key.publicJwk, kid },
});

test("the discovery document is the issuer's alone", () => {
  const document = discoveryDocument("https://ci.example.com");
  expect(DiscoveryDocument.strict().parse(document)).toEqual(document);
  expect(document.issuer).toBe("https://ci.example.com");
  expect(document.jwks_uri).toBe("https://ci.example.com/.well-known/jwks.json");
  expect(document.id_token_signing_alg_values_supported).toEqual(["RS256"]);
});

test("both keys are published, the active one first, at every moment", () => {
  const [older, newer] = [named("a", 100), named("b", 200)];
  const kidsAt = (now: number) => publicJwks([older, newer], now as EpochSeconds).keys.map(({ kid }) => kid);
  expect([0, 100, 199, 200, 999].map(kidsAt)).toEqual([
    ["a", "b"],
    ["a", "b"],
    ["a", "b"],
    ["b", "a"],
    ["b", "a"],
  ]);
  expect(publicJwks([], 0 as EpochSeconds)).toEqual({ keys: [] });
});

test("a key set holds public members and no other", () => {
  const published = publicJwks([key], 0 as EpochSeconds);
  expect(PublicJwks.parse(published)).toEqual(published);
  expect(Object.keys(published.keys[0] ?? {}).sort()).toEqual(["alg", "e", "kid", "kty", "n", "use"]);
});

const context = {
  issuer: "https://ci.example.com",
  org: { id: idOf(1), name: "acme" },
  project: { id: idOf(2), name: "shop" },
  repository: { name: "web", slug: "acme/web" },
  git: gitContext(),
  workflowId: idOf(3),
  pipelineId: idOf(4),
  jobId: idOf(5),
  actor: idOf(6),
};

test("a token lives for the shorter of one hour and the job's limit", async () => {
  const issuer = createIssuer({ signing, clock: () => startedAt, random: systemRandom });
  for (const [limit, life] of [
    [10, 10],
    [3599, 3599],
    [3600, 3600],
    [86_400, 3600],
  ] as const) {
    const { mint } = await issuer.mint(context, limit);
    expect(mint.expiresAt - mint.issuedAt).toBe(life);
    expect(mint).toMatchObject({ issuedAt: toSeconds(startedAt), aud: context.issuer, kid: key.kid });
  }
});

test("a repeated fetch gets the same token, byte for byte, later too; a new mint another", async () => {
  let now: EpochMs = startedAt;
  const issuer = createIssuer({ signing, clock: () => now, random: systemRandom });
  const first = await issuer.mint(context, 600);
  now = plusSeconds(now, 30);
  expect(await issuer.again(context, first.mint)).toEqual(first);
  expect((await issuer.mint(context, 600)).token).not.toBe(first.token);
});

test("a token is signed again by the key that signed it, or not at all", async () => {
  const issuer = createIssuer({ signing, clock: () => startedAt, random: systemRandom });
  const { mint } = await issuer.mint(context, 600);
  expect(() => issuer.again(context, { ...mint, kid: "gone" })).toThrow("SIGNING_KEY_1");
});
