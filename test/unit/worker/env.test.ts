import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { limits } from "../../../src/protocol/limits.ts";
import { type Env, readConfig, readSettings } from "../../../src/worker/env.ts";
import { keyText } from "./crypto/sealing-keys.ts";

const jwk = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
const good = {
  ISSUER: "https://ci.example.com",
  ACCESS_KEY_ENCRYPTION: keyText(1),
  SIGNING_KEY_1: JSON.stringify({ ...jwk, activates_at: 0 }),
};
const configOf = (changes: Record<string, string | undefined>) => readConfig({ ...good, ...changes } as unknown as Env);
const named = async (changes: Record<string, string | undefined>) =>
  (await configOf(changes)).problems.map(({ binding }) => binding);

test("good bindings make a config without holes or problems", async () => {
  const config = await configOf({});
  expect(config.problems).toEqual([]);
  expect(config.issuer?.href).toBe("https://ci.example.com/");
  expect([config.sealing.keys.length, config.signing.keys.length, config.bootstrapToken]).toEqual([1, 1, null]);
});

describe("what is missing or malformed", () => {
  test.each<[string, Record<string, string | undefined>]>([
    ["ISSUER", { ISSUER: undefined }],
    ["ACCESS_KEY_ENCRYPTION", { ACCESS_KEY_ENCRYPTION: undefined }],
    ["ACCESS_KEY_ENCRYPTION", { ACCESS_KEY_ENCRYPTION: "c2hvcnQ=" }],
    ["ACCESS_KEY_ENCRYPTION_2", { ACCESS_KEY_ENCRYPTION_2: "c2hvcnQ=" }],
    ["SIGNING_KEY_1", { SIGNING_KEY_1: undefined }],
    ["SIGNING_KEY_2", { SIGNING_KEY_2: "{}" }],
    ["SETTINGS", { SETTINGS: '{"queue_limit_seconds":0}' }],
  ])("is named: %s", async (binding, changes) => {
    expect(await named(changes)).toEqual([binding]);
  });

  test("is named all at once, and quoted nowhere", async () => {
    const secret = "s3cret-value";
    const changes = Object.fromEntries(
      ["ISSUER", "ACCESS_KEY_ENCRYPTION", "ACCESS_KEY_ENCRYPTION_2", "SIGNING_KEY_1", "SIGNING_KEY_2", "SETTINGS"].map(
        (name) => [name, secret],
      ),
    );
    const { problems } = await configOf(changes);
    expect(problems.map(({ binding }) => binding).sort()).toEqual(Object.keys(changes).sort());
    expect(JSON.stringify(problems)).not.toContain(secret);
  });

  test("in a second slot takes down nothing of the first", async () => {
    const config = await configOf({ ACCESS_KEY_ENCRYPTION_2: "x", SIGNING_KEY_2: "x" });
    expect([config.sealing.keys.length, config.signing.keys.length]).toEqual([1, 1]);
    expect(config.issuer).not.toBeNull();
  });
});

describe("the issuer", () => {
  test.each([
    "https://ci.example.com",
    "https://ci.example.com:8443",
    "http://localhost:8787",
    "http://127.0.0.1:8787",
    "http://[::1]:8787",
  ])("may be %s", async (issuer) => {
    expect((await configOf({ ISSUER: issuer })).issuer?.origin).toBe(issuer);
  });

  test.each([
    "",
    "ci.example.com",
    "https://ci.example.com/",
    "https://ci.example.com/path",
    "https://ci.example.com?x",
    "https://ci.example.com#x",
    "https://CI.example.com",
    "https://ci.example.com:443",
    "https://user@ci.example.com",
    " https://ci.example.com",
    "https://ci.example.com\n",
    "http://ci.example.com",
    "http://localhost.example.com",
    "ws://localhost",
    "file:///etc",
    "null",
  ])("may not be %j: clouds compare it byte for byte", async (issuer) => {
    expect(await named({ ISSUER: issuer })).toEqual(["ISSUER"]);
    expect((await configOf({ ISSUER: issuer })).issuer).toBeNull();
  });
});

describe("settings", () => {
  const of = (SETTINGS?: string) => readSettings({ SETTINGS } as Env);
  const defaults = {
    agent_lost_seconds: 900,
    queue_limit_seconds: 86_400,
    next_sync_after_ms: 1000,
    log_bytes_max: limits.logBytes,
  };

  test("are the documented ones where nothing is said, and where what is said does not fit", () => {
    for (const text of [
      undefined,
      "",
      "{}",
      "not json",
      "[]",
      "null",
      '{"unknown":1}',
      '{"agent_lost_seconds":0}',
      '{"agent_lost_seconds":"9"}',
    ]) {
      expect(of(text)).toMatchObject(defaults);
    }
  });

  test("may be changed one by one", () => {
    expect(of('{"agent_lost_seconds":2}')).toMatchObject({ ...defaults, agent_lost_seconds: 2 });
  });
});

test("a config is made anew when a binding changes, and kept while none does", async () => {
  const before = await configOf({});
  expect(await configOf({})).toBe(before);
  const after = await configOf({ ACCESS_KEY_ENCRYPTION: keyText(2) });
  expect(after.sealing.keys[0]?.idHex).not.toBe(before.sealing.keys[0]?.idHex);
});

test("a bootstrap token is taken without the newline that its file ends in, and a blank one is none", async () => {
  expect((await configOf({ BOOTSTRAP_TOKEN: "sixteen-letters!\n" })).bootstrapToken).toBe("sixteen-letters!");
  for (const blank of ["", " \n"]) expect((await configOf({ BOOTSTRAP_TOKEN: blank })).bootstrapToken).toBeNull();
});

test("a bootstrap token that could be guessed is none, and named", async () => {
  const { bootstrapToken, problems } = await configOf({ BOOTSTRAP_TOKEN: "fifteen-letters" });
  expect(bootstrapToken).toBeNull();
  expect(problems.map(({ binding }) => binding)).toContain("BOOTSTRAP_TOKEN");
});

test("headers of a proxy are believed only where TRUST_PROXY says on, and a word it does not know is named", async () => {
  expect((await configOf({})).trustProxy).toBe(false);
  expect((await configOf({ TRUST_PROXY: "off" })).trustProxy).toBe(false);
  expect((await configOf({ TRUST_PROXY: "on" })).trustProxy).toBe(true);
  const { trustProxy, problems } = await configOf({ TRUST_PROXY: "yes" });
  expect(trustProxy).toBe(false);
  expect(problems).toContainEqual({ binding: "TRUST_PROXY", detail: "must be on or off" });
});
