import { createHmac, createPublicKey, type JsonWebKey } from "node:crypto";
import { importJWK, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { parseSigningKeys, type SigningKey, signToken } from "../../../../src/worker/crypto/signing.ts";
import { verifyToken } from "../../../../src/worker/crypto/verify-token.ts";
import type { EpochSeconds } from "../../../../src/worker/lib/time.ts";
import { newSigningKey } from "../../../support/harness.ts";

const issuer = "https://ci.example.com";
const now = 1_800_000_000 as EpochSeconds;
const claims = { iss: issuer, aud: issuer, sub: "s", jti: "j", job_id: "i", iat: now, nbf: now - 5, exp: now + 60 };

let keys: readonly SigningKey[];
let foreign: SigningKey;
const at = (seconds: number) => ({ issuer, now: (now + seconds) as EpochSeconds });

async function keyOf(): Promise<SigningKey> {
  const [key] = (await parseSigningKeys([["SIGNING_KEY_1", newSigningKey()]])).keys;
  if (key === undefined) throw new Error("no key was parsed");
  return key;
}

beforeAll(async () => {
  const one = await keyOf();
  foreign = await keyOf();
  keys = [one];
});

const own = () => keys[0] as SigningKey;
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

test("a token of our own is valid from five seconds before it was issued up to the second before it ends", async () => {
  const token = await signToken(own(), claims);
  const verdicts = [];
  for (const seconds of [-6, -5, 0, 59, 60]) {
    const verified = await verifyToken(keys, token, at(seconds));
    verdicts.push(typeof verified === "string" ? verified : verified.jti);
  }
  expect(verdicts).toEqual(["not_yet_valid", "j", "j", "j", "expired"]);
});

test("a token of another issuer, of another key, or altered in any part is refused by its reason", async () => {
  const token = await signToken(own(), claims);
  expect(await verifyToken(keys, await signToken(own(), { ...claims, iss: "https://evil.example" }), at(0))).toBe(
    "wrong_issuer",
  );
  expect(await verifyToken(keys, await signToken(foreign, claims), at(0))).toBe("unknown_key");
  const forged = await new SignJWT(claims)
    .setProtectedHeader({ alg: "RS256", kid: own().kid, typ: "JWT" })
    .sign(foreign.privateKey);
  expect(await verifyToken(keys, forged, at(0))).toBe("bad_signature");
  const [header, , signature] = token.split(".");
  const altered = `${header}.${encode({ ...claims, sub: "another" })}.${signature}`;
  expect(await verifyToken(keys, altered, at(0))).toBe("bad_signature");
});

describe("a header that asks to be verified otherwise is refused before anything is", () => {
  test.each([
    ["none", { alg: "none" }],
    ["another RSA algorithm", { alg: "RS384" }],
    ["PS256 with the same key", { alg: "PS256" }],
    ["a key that it brings along", { alg: "RS256", jwk: {} }],
    ["a key that lies elsewhere", { alg: "RS256", jku: "https://evil.example/jwks" }],
    ["a certificate that lies elsewhere", { alg: "RS256", x5u: "https://evil.example/x5u" }],
    ["an extension that must be understood", { alg: "RS256", crit: ["b64"], b64: false }],
    ["another type", { alg: "RS256", typ: "at+jwt" }],
  ])("%s", async (_, header) => {
    const signed = `${encode({ kid: own().kid, typ: "JWT", ...header })}.${encode(claims)}`;
    expect(await verifyToken(keys, `${signed}.`, at(0))).toBe("malformed");
    expect(await verifyToken(keys, `${signed}.${encode("signature")}`, at(0))).toBe("malformed");
  });

  test("HS256 with the public key as its secret", async () => {
    const pem = createPublicKey({ key: own().publicJwk as unknown as JsonWebKey, format: "jwk" }).export({
      type: "spki",
      format: "pem",
    });
    const signed = `${encode({ alg: "HS256", kid: own().kid, typ: "JWT" })}.${encode(claims)}`;
    const mac = createHmac("sha256", pem).update(signed).digest("base64url");
    expect(await verifyToken(keys, `${signed}.${mac}`, at(0))).toBe("malformed");
  });

  test("a key id that is a path, a query or nothing", async () => {
    const key = await importJWK({ ...own().publicJwk }, "RS256");
    expect(key).toBeDefined();
    for (const kid of ["../../etc/passwd", "' OR 1=1 --", ""]) {
      const signed = `${encode({ alg: "RS256", kid, typ: "JWT" })}.${encode(claims)}.${encode("s")}`;
      expect(["unknown_key", "malformed"]).toContain(await verifyToken(keys, signed, at(0)));
    }
  });
});

test("what is no token at all is malformed", async () => {
  for (const text of ["", "a", "a.b", "a.b.c", "....", `${encode({})}..`, "x".repeat(20_000)]) {
    expect(await verifyToken(keys, text, at(0))).toBe("malformed");
  }
});
