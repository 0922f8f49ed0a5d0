import { createHash, createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { describe, expect, test } from "vitest";
import { activeKey, parseSigningKeys, type SigningKey, signToken } from "../../../../src/worker/crypto/signing.ts";
import type { EpochSeconds } from "../../../../src/worker/lib/time.ts";

const rsa = (bits: number, exponent = 65_537) =>
  generateKeyPairSync("rsa", { modulusLength: bits, publicExponent: exponent }).privateKey.export({ format: "jwk" });
const [one, two] = [rsa(2048), rsa(2048)];
const [small, threes, ec] = [
  rsa(1024),
  rsa(2048, 3),
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }),
];

const textOf = (jwk: object, activatesAt: unknown = 100) => JSON.stringify({ ...jwk, activates_at: activatesAt });
const slots = (first: string | undefined, second?: string) =>
  parseSigningKeys([
    ["SIGNING_KEY_1", first],
    ["SIGNING_KEY_2", second],
  ]);

async function keyOf(jwk: object, activatesAt = 100): Promise<SigningKey> {
  const { keys } = await slots(textOf(jwk, activatesAt));
  const [key] = keys;
  if (key === undefined) throw new Error("no key");
  return key;
}

const at = (seconds: number) => seconds as EpochSeconds;
const [keyOne, keyTwo] = [await keyOf(one), await keyOf(two)];

describe("a signing key", () => {
  test("is named by its RFC 7638 thumbprint", () => {
    const text = `{"e":"${one.e}","kty":"RSA","n":"${one.n}"}`;
    expect(keyOne.kid).toBe(createHash("sha256").update(text).digest("base64url"));
  });

  test("publishes six members and nothing private", () => {
    expect(keyOne.publicJwk).toEqual({ kty: "RSA", n: one.n, e: "AQAB", alg: "RS256", use: "sig", kid: keyOne.kid });
    expect(keyOne.privateKey.extractable).toBe(false);
    const shown = JSON.stringify([keyOne, keyOne.publicJwk]);
    for (const secret of [one.d, one.p, one.q, one.dp, one.dq, one.qi]) expect(shown).not.toContain(secret);
  });

  test("is read with blanks and newlines around it, and with members of its maker's", async () => {
    const { keys, problems } = await slots(
      `\n ${textOf({ ...one, alg: "PS256", use: "enc", key_ops: [], kid: "mine" })} \n`,
    );
    expect(problems).toEqual([]);
    expect(keys[0]?.publicJwk).toEqual(keyOne.publicJwk);
  });
});

describe("a text that is no signing key is named by its slot and not quoted", () => {
  const without = (member: string) => textOf({ ...one, [member]: undefined });
  const publicOnly = { kty: one.kty, n: one.n, e: one.e };
  test.each<[string, string, RegExp]>([
    ["not JSON", `${textOf(one)}}`, /^is not JSON$/],
    ["PEM", "-----BEGIN PRIVATE KEY-----", /^is not JSON$/],
    ["a string", JSON.stringify(one.d), /^is not a private RSA JWK/],
    ["a list", JSON.stringify([one]), /^is not a private RSA JWK/],
    ["null", "null", /^is not a private RSA JWK/],
    ["the public half", textOf(publicOnly), /look at d, p, q, dp, dq, qi$/],
    ["an EC key", textOf(ec), /look at kty/],
    ["a symmetric key", textOf({ kty: "oct", k: one.d }), /look at kty/],
    ...["kty", "n", "e", "d", "p", "q", "dp", "dq", "qi"].map((member): [string, string, RegExp] => [
      `one without ${member}`,
      without(member),
      new RegExp(`look at ${member}$`),
    ]),
    ["one without activates_at", JSON.stringify(one), /look at activates_at$/],
    ["activates_at as text", textOf(one, "100"), /look at activates_at$/],
    ["activates_at in milliseconds' fractions", textOf(one, 1.5), /look at activates_at$/],
    ["activates_at before 1970", textOf(one, -1), /look at activates_at$/],
    ["1024 bits", textOf(small), /^has a modulus of 1024 bits, not 2048, 3072, 4096$/],
    ["exponent 3", textOf(threes), /look at e$/],
    ["a modulus that is not base64url", textOf({ ...one, n: `${one.n}=` }), /modulus|look at n/],
    ["a modulus of nothing", textOf({ ...one, n: "" }), /modulus of 0 bits|look at n/],
    ["primes of nothing", textOf({ ...one, p: "", q: "" }), /private/],
  ])("%s", async (_, text, words) => {
    const { keys, problems } = await slots(undefined, text);
    expect(keys).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.binding).toBe("SIGNING_KEY_2");
    expect(problems[0]?.detail).toMatch(words);
    for (const secret of [one, small, threes, ec].flatMap((jwk) => [jwk.d, jwk.p, jwk.n])) {
      if (secret) expect(JSON.stringify(problems)).not.toContain(secret.slice(0, 12));
    }
  });

  test("a key whose halves belong to two keys: nobody could verify what it signs", async () => {
    const { keys, problems } = await slots(textOf({ ...one, n: two.n }));
    expect(keys).toEqual([]);
    expect(problems.map(({ binding }) => binding)).toEqual(["SIGNING_KEY_1"]);
  });
});

describe("the slots", () => {
  test("hold two keys, and a malformed one does not take down the other", async () => {
    expect((await slots(textOf(one), textOf(two))).keys.map(({ kid }) => kid)).toEqual([keyOne.kid, keyTwo.kid]);
    for (const [first, second] of [
      [textOf(one), "?"],
      ["?", textOf(one)],
    ]) {
      const { keys, problems } = await slots(first, second);
      expect(keys.map(({ kid }) => kid)).toEqual([keyOne.kid]);
      expect(problems).toHaveLength(1);
    }
  });

  test("with one key twice count it once", async () => {
    const { keys, problems } = await slots(textOf(one, 100), textOf({ ...one, kid: "other" }, 200));
    expect(keys).toHaveLength(1);
    expect(problems).toEqual([]);
  });

  test.each([
    [undefined, undefined],
    ["", ""],
  ])("that are both empty are named by the first", async (a, b) => {
    expect(await slots(a, b)).toEqual({ keys: [], problems: [{ binding: "SIGNING_KEY_1", detail: "is not set" }] });
  });
});

describe("the key that signs", () => {
  const named = (kid: string, activatesAt: number) => ({ ...keyOne, kid, activatesAt: at(activatesAt) });
  const kidAt = (keys: SigningKey[], now: number) => activeKey(keys, at(now))?.kid ?? null;

  test.each<[string, [string, number][], number, string | null]>([
    ["none where there is none", [], 5, null],
    ["the only one, activated", [["a", 5]], 9, "a"],
    ["the only one, although it is to come", [["a", 50]], 9, "a"],
    [
      "the newest activated",
      [
        ["a", 1],
        ["b", 5],
      ],
      9,
      "b",
    ],
    [
      "the older until the second before the newer is activated",
      [
        ["a", 1],
        ["b", 10],
      ],
      9,
      "a",
    ],
    [
      "the newer from that very second",
      [
        ["a", 1],
        ["b", 10],
      ],
      10,
      "b",
    ],
    [
      "the activated one, although the one to come is newer",
      [
        ["a", 1],
        ["b", 99],
      ],
      50,
      "a",
    ],
    [
      "the earliest where none is activated",
      [
        ["a", 30],
        ["b", 20],
      ],
      9,
      "b",
    ],
    [
      "the lower kid in a tie of activated ones",
      [
        ["b", 5],
        ["a", 5],
      ],
      9,
      "a",
    ],
    [
      "the lower kid in a tie of ones to come",
      [
        ["b", 50],
        ["a", 50],
      ],
      9,
      "a",
    ],
    [
      "the lower kid by code units, not by any language's order",
      [
        ["a", 5],
        ["B", 5],
      ],
      9,
      "B",
    ],
  ])("is %s", (_, slots, now, expected) => {
    const keys = slots.map(([kid, activatesAt]) => named(kid, activatesAt));
    expect(kidAt(keys, now)).toBe(expected);
    expect(kidAt(keys.toReversed(), now)).toBe(expected);
  });
});

describe("a token", () => {
  const claims = { iss: "https://ci.example.com", sub: "s", exp: 2_000_000_000, title: "ü\u{1f682}" };

  test("is the same, byte for byte, for the same claims and key", async () => {
    const token = await signToken(keyOne, claims);
    expect(await signToken(await keyOf(one, 999), { ...claims })).toBe(token);
    expect(await signToken(keyOne, { ...claims, exp: 2_000_000_001 })).not.toBe(token);
    expect(await signToken(keyTwo, claims)).not.toBe(token);
  });

  test("verifies under the published key in another implementation, with RS256, typ JWT and the kid alone", async () => {
    const [header = "", payload = "", signature = ""] = (await signToken(keyOne, claims)).split(".");
    const decoded = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    expect(decoded(header)).toEqual({ alg: "RS256", kid: keyOne.kid, typ: "JWT" });
    expect(decoded(payload)).toEqual(claims);
    const signed = Buffer.from(`${header}.${payload}`);
    const bytes = Buffer.from(signature, "base64url");
    expect(verify("RSA-SHA256", signed, createPublicKey({ key: { ...keyOne.publicJwk }, format: "jwk" }), bytes)).toBe(
      true,
    );
    expect(verify("RSA-SHA256", signed, createPublicKey({ key: { ...keyTwo.publicJwk }, format: "jwk" }), bytes)).toBe(
      false,
    );
  });
});
