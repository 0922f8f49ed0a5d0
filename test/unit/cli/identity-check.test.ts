import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import jwt from "jsonwebtoken";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { altered } from "../../../src/cli/demo/altered-token.ts";
import { decodeToken, verifyToken } from "../../../src/cli/identity-check.ts";
import { fakeApi } from "./fake-api.ts";
import { runCli } from "./support.ts";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
let issuer: Awaited<ReturnType<typeof fakeApi>>;

beforeEach(async () => {
  const keys = [{ ...publicKey.export({ format: "jwk" }), alg: "RS256", use: "sig", kid: "k1" }];
  issuer = await fakeApi({
    "GET /.well-known/openid-configuration": () => ({
      issuer: issuer.url,
      jwks_uri: `${issuer.url}/.well-known/jwks.json`,
    }),
    "GET /.well-known/jwks.json": { keys },
  });
});
afterEach(() => issuer.close());

function token(options: jwt.SignOptions = {}, key = privateKey): string {
  const claims = { sub: "org:local", jti: "0123" };
  const usual: jwt.SignOptions = {
    algorithm: "RS256",
    keyid: "k1",
    issuer: issuer.url,
    audience: issuer.url,
    expiresIn: 60,
  };
  return jwt.sign(claims, createPrivateKey(key.export({ type: "pkcs8", format: "pem" })), { ...usual, ...options });
}

describe("an identity token", () => {
  test("is verified against its issuer's discovery and keys", async () => {
    const verdict = await verifyToken(token(), { issuer: issuer.url, audience: issuer.url });
    expect(verdict).toEqual({ kind: "verified", keysUrl: `${issuer.url}/.well-known/jwks.json`, kid: "k1" });
  });

  test("with one byte changed is refused for its signature, though it is well-formed", async () => {
    const changed = altered(token());
    expect(decodeToken(changed)?.claims).toMatchObject({ jti: "1123", sub: "org:local" });
    expect(await verifyToken(changed, { issuer: issuer.url })).toEqual({ kind: "refused", why: "invalid signature" });
  });

  for (const [what, make, why] of [
    ["signed by another key", () => token({}, other), "invalid signature"],
    ["of an unknown key", () => token({ keyid: "k2" }), "Unable to find"],
    ["for another audience", () => token({ audience: "https://elsewhere" }), "audience invalid"],
    ["of another issuer", () => token({ issuer: "https://evil.example" }), "issuer invalid"],
    ["that is expired", () => token({ expiresIn: -10 }), "jwt expired"],
    [
      "that claims to need no signature",
      () => `${jwt.sign({ iss: issuer.url }, "", { algorithm: "none", keyid: "k1" })}`,
      "",
    ],
  ] as const) {
    test(`${what} is refused`, async () => {
      const verdict = await verifyToken(make(), { issuer: issuer.url, audience: issuer.url });
      expect(verdict).toEqual({ kind: "refused", why: expect.stringContaining(why) });
    });
  }

  test("from an issuer over plain HTTP elsewhere is refused without asking it", async () => {
    const verdict = await verifyToken(token(), { issuer: "http://ci.example.com" });
    expect(verdict).toEqual({ kind: "refused", why: "http://ci.example.com is no https URL" });
  });
});

describe("token inspect", () => {
  test("shows claims and times in words, and exits 0 for a good token", async () => {
    const { code, stdout } = await runCli(["token", "inspect"], { env: { SEMAPHORE_OIDC_TOKEN: token() } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/sub +"org:local"/);
    expect(stdout).toMatch(/exp +\d+ {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in \d+ (second|minute)/);
    expect(stdout).toContain("verified: signed by key k1");
  });

  test("exits 1 for a refused token, as JSON too", async () => {
    const { code, stdout } = await runCli(["token", "inspect", "-", "--json"], { stdin: `${altered(token())}\n` });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ claims: { jti: "1123" }, verdict: { kind: "refused" } });
  });

  test("exits 3 where the issuer cannot be reached, and says so: what was not verified is no success", async () => {
    const text = token({ issuer: "http://127.0.0.1:9" });
    const { code, stdout } = await runCli(["token", "inspect", "-"], { stdin: text });
    expect([code, stdout]).toEqual([3, expect.stringContaining("not verified, the issuer cannot be reached")]);
  });

  test("exits 3 where the issuer is there and its keys are not", async () => {
    const nowhere = { issuer: () => issuer.url, keys: "http://127.0.0.1:9/jwks.json" };
    const path = "GET /.well-known/openid-configuration";
    await issuer.close();
    issuer = await fakeApi({ [path]: () => ({ issuer: nowhere.issuer(), jwks_uri: nowhere.keys }) });
    const { code, stdout } = await runCli(["token", "inspect", "-"], { stdin: token() });
    expect([code, stdout]).toEqual([3, expect.stringContaining(nowhere.keys)]);
  });

  test("with --offline decodes alone, exits 0, asks nobody and calls nothing verified", async () => {
    const { code, stdout } = await runCli(["token", "inspect", "-", "--offline"], { stdin: altered(token()) });
    expect([code, stdout]).toEqual([0, expect.stringContaining("not verified, as asked")]);
    expect(issuer.asked).toEqual([]);
    const json = await runCli(["token", "inspect", "-", "--offline", "--json"], { stdin: token() });
    expect(JSON.parse(json.stdout).verdict).toEqual({ kind: "unchecked" });
  });

  test("cannot both verify nothing and demand an issuer", async () => {
    const { code } = await runCli(["token", "inspect", "-", "--offline", "--issuer", issuer.url], { stdin: token() });
    expect(code).toBe(2);
  });

  test("exits 2 for what is no token", async () => {
    expect((await runCli(["token", "inspect", "-"], { stdin: "hello" })).code).toBe(2);
    expect((await runCli(["token", "inspect"])).code).toBe(2);
  });
});
