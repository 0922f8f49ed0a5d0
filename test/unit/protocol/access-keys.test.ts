import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { AccessKeyCreate, AccessKeyType, KeyPolicy, Secret, secretFields } from "../../../src/protocol/access-keys.ts";
import { limits } from "../../../src/protocol/limits.ts";
import { parse } from "../../../src/protocol/parse.ts";
import { fieldProblems } from "../../../src/worker/http/field-problems.ts";

const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
const ssh = (private_key: string) => Secret.safeParse({ type: "ssh", private_key });
const keyOf = (text: string) => {
  const parsed = ssh(text);
  return parsed.success && parsed.data.type === "ssh" ? parsed.data.private_key : null;
};

describe("a private key", () => {
  test.each<[string, string]>([
    ["as ssh-keygen writes it", pem],
    ["without its last newline", pem.trimEnd()],
    ["indented, and with blanks behind its lines", pem.replaceAll(/^/gm, "  ").replaceAll("\n", " \t\n")],
    ["with Windows' newlines", pem.replaceAll("\n", "\r\n")],
    ["with blanks around it", `\n\n  ${pem}\n \t`],
  ])("%s is repaired to one form", (_, text) => {
    expect(keyOf(text)).toBe(pem);
  });

  test.each<[string, string]>([
    ["nothing", ""],
    ["a public key", pem.replaceAll("PRIVATE", "PUBLIC")],
    ["half of one", pem.slice(0, 40)],
    ["one without its end", pem.replace(/-----END.*/, "")],
    ["words before it", `key: ${pem}`],
    ["one on a single line", pem.replaceAll("\n", " ")],
    ["one with a NUL", pem.replace("PRIVATE KEY-----\n", "PRIVATE KEY-----\n\0")],
    ["a path", "~/.ssh/id_ed25519"],
  ])("%s is refused", (_, text) => {
    expect(keyOf(text)).toBeNull();
  });
});

describe("secrets", () => {
  test("hold what their type has and nothing else", () => {
    expect(Secret.parse({ type: "ssh", private_key: pem })).toEqual({
      type: "ssh",
      login: "",
      private_key: pem,
      passphrase: "",
    });
    expect(Secret.parse({ type: "login_password", password: "p" })).toEqual({
      type: "login_password",
      login: "",
      password: "p",
    });
    expect(Secret.parse({ type: "string", value: " v\n" })).toEqual({ type: "string", value: " v\n" });
    expect(Secret.parse({ type: "none" })).toEqual({ type: "none" });
    for (const bad of [
      { type: "none", value: "x" },
      { type: "string", value: "x", login: "y" },
      { type: "string" },
      { type: "string", value: "" },
      { type: "login_password", login: "x", password: "" },
      { type: "token", value: "x" },
      { value: "x" },
      null,
    ]) {
      expect(Secret.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
    }
  });

  test("are at most 64 KiB, counted in bytes, well-formed and without NUL", () => {
    const accepts = (value: string) => Secret.safeParse({ type: "string", value }).success;
    expect(accepts("x".repeat(limits.keyMaterialBytes))).toBe(true);
    expect(accepts("x".repeat(limits.keyMaterialBytes + 1))).toBe(false);
    expect(accepts("ä".repeat(limits.keyMaterialBytes / 2 + 1))).toBe(false);
    for (const bad of ["a\0", "\ud83d", "\udc00x"]) expect(accepts(bad)).toBe(false);
    expect(Secret.safeParse({ type: "login_password", login: "x".repeat(257), password: "p" }).success).toBe(false);
  });

  test("of every type list their parts, the one handed over by default first", () => {
    expect(Object.keys(secretFields).sort()).toEqual([...AccessKeyType.options].sort());
    expect(secretFields.ssh[0]).toBe("private_key");
    expect(secretFields.login_password[0]).toBe("password");
  });

  test("are quoted by no refusal", () => {
    const canary = "c4nary-s3cret-value";
    const bodies = [
      { name: "k", secret: { type: "string", value: `${canary}\0` } },
      { name: "k", secret: { type: "string", value: { x: canary } } },
      { name: "k", secret: { type: "string", value: [canary] } },
      { name: "k", secret: { type: canary, value: canary } },
      { name: "k", secret: canary },
      { name: "k", secret: { type: "ssh", private_key: canary, passphrase: canary } },
      { name: "k", secret: { type: "none", value: canary } },
      { name: "k", secret: { type: "login_password", login: canary.repeat(99), password: "" } },
      { name: canary.toUpperCase(), secret: { type: "string", value: canary } },
      { name: "k", secret: { type: "string", value: canary }, policy: { refs: [canary] } },
      { name: "k", secret: { type: "string", value: canary }, policy: canary },
      { name: "k", secret: { type: "string", value: canary }, policy: { ref_types: [canary] } },
      canary,
      [canary],
    ];
    for (const body of bodies) {
      const parsed = parse(AccessKeyCreate, body);
      expect(parsed.success).toBe(false);
      if (!parsed.success)
        expect(JSON.stringify(fieldProblems(parsed.misfits, "/")).toLowerCase()).not.toContain(canary);
    }
  });
});

test("a key's policy is, where nothing is said, protected refs and no forks", () => {
  const expected = {
    refs: "protected",
    ref_types: ["branch", "tag", "pr"],
    agent_types: null,
    forks: false,
    proofs: ["webhook", "api"],
  };
  expect(KeyPolicy.parse({})).toEqual(expected);
  expect(AccessKeyCreate.parse({ name: "k", secret: { type: "none" } }).policy).toEqual(expected);
});

test("a policy that could match nothing by mistake is refused", () => {
  for (const bad of [
    { refs: [] },
    { ref_types: [] },
    { agent_types: [] },
    { proofs: [] },
    { refs: "all" },
    { ref_types: ["tag", "tag", "tag", "tag"] },
    { proofs: ["api", "api", "api"] },
    { fork: true },
  ]) {
    expect(KeyPolicy.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
  }
});

test("refs that are neither protected nor patterns are refused in words that say what they may be", () => {
  const words = 'must be "protected", or a list of ref patterns such as refs/heads/*';
  const messages = (refs: unknown) => KeyPolicy.safeParse({ refs }).error?.issues.map(({ message }) => message);
  for (const refs of ["all", "refs/heads/*", 7, null, [7]])
    expect(messages(refs), JSON.stringify(refs)).toEqual([words]);
  expect(messages(["heads/*"])).toEqual(["must begin with refs/"]);
});
