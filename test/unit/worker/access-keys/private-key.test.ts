/** Private keys as people have them: each library's form described, each fault named, none quoted. */
import { generateKeyPairSync } from "node:crypto";
import { expect, it } from "vitest";
import { describePrivateKey, ed25519PrivateKey } from "../../../../src/worker/access-keys/private-key.ts";

const cipher = { cipher: "aes-256-cbc", passphrase: "opens-it" } as const;
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const ed25519 = generateKeyPairSync("ed25519").privateKey;

it.each([
  ["RSA in PKCS#1", rsa.export({ type: "pkcs1", format: "pem" }), "ssh-rsa"],
  ["RSA in PKCS#8", rsa.export({ type: "pkcs8", format: "pem" }), "ssh-rsa"],
  ["ECDSA in SEC 1", ec.export({ type: "sec1", format: "pem" }), "ecdsa-sha2-nistp256"],
  ["Ed25519 in PKCS#8", ed25519.export({ type: "pkcs8", format: "pem" }), "ssh-ed25519"],
  ["RSA in encrypted PKCS#1", rsa.export({ type: "pkcs1", format: "pem", ...cipher }), "ssh-rsa"],
  ["ECDSA in encrypted PKCS#8", ec.export({ type: "pkcs8", format: "pem", ...cipher }), "ecdsa-sha2-nistp256"],
])("%s is described", async (_, pem, kind) => {
  const described = await describePrivateKey(String(pem), "opens-it");
  expect(described).toMatchObject({
    fingerprint: expect.stringMatching(/^SHA256:[A-Za-z0-9+/]{43}$/),
    publicKey: expect.stringMatching(new RegExp(`^${kind} [A-Za-z0-9+/=]+$`)),
    comment: "",
  });
});

it.each(["pkcs1", "pkcs8"] as const)("RSA under 1024 bits, in %s, is refused: no sshd takes it", async (type) => {
  const of = (modulusLength: number) =>
    String(generateKeyPairSync("rsa", { modulusLength }).privateKey.export({ type, format: "pem" }));
  expect(await describePrivateKey(of(1023), "")).toEqual({
    field: "private_key",
    reason: "is RSA of 1023 bits: sshd takes none under 1024",
  });
  expect(await describePrivateKey(of(1024), "")).toMatchObject({ publicKey: expect.stringMatching(/^ssh-rsa /) });
});

it("a generated key has the public half of RFC 8032's first test vector, and its comment", async () => {
  const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
  const described = await describePrivateKey(await ed25519PrivateKey(seed, "deploy"), "");
  if ("reason" in described) throw new Error(described.reason);
  const blob = Buffer.from(described.publicKey.split(" ")[1] ?? "", "base64");
  expect(blob.subarray(-32).toString("hex")).toBe("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  expect(described.comment).toBe("deploy");
});

it("an encrypted key without its passphrase, and with a wrong one, is refused for the passphrase", async () => {
  const pem = String(rsa.export({ type: "pkcs1", format: "pem", ...cipher }));
  expect(await describePrivateKey(pem, "")).toMatchObject({ field: "passphrase" });
  expect(await describePrivateKey(pem, "wrong")).toMatchObject({ field: "passphrase" });
});

/** The head of an encrypted OpenSSH key: nothing behind it is read before the rounds are judged. */
function openSsh(rounds: number): string {
  const text = (value: string | Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return Buffer.concat([length, Buffer.from(value)]);
  };
  const count = Buffer.alloc(4);
  count.writeUInt32BE(rounds);
  const options = text(Buffer.concat([text(Buffer.alloc(16)), count]));
  const body = Buffer.concat([Buffer.from("openssh-key-v1\0"), text("aes256-ctr"), text("bcrypt"), options]);
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body.toString("base64")}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

it("65 bcrypt rounds are refused before one is computed, and four thousand million as fast", async () => {
  for (const rounds of [65, 0xffffffff]) {
    const refusal = await describePrivateKey(openSsh(rounds), "x");
    expect(refusal).toMatchObject({ field: "private_key", reason: expect.stringContaining(`${rounds} bcrypt rounds`) });
  }
});

it("PBKDF2 iterations past the limit are refused before one is computed", async () => {
  const pem = String(ec.export({ type: "pkcs8", format: "pem", ...cipher }));
  const der = Buffer.from(pem.replace(/-----[^-]*-----|\s/g, ""), "base64");
  const at = der.indexOf(Buffer.from([0x02, 0x02, 0x08, 0x00]));
  expect(at).toBeGreaterThan(0);
  // The same four bytes as a one-byte integer with its sign byte gone cannot say more: 0x02 0x02 0x7f 0xff is 32,767.
  der.writeUInt16BE(0x7fff, at + 2);
  const body = (bytes: Buffer) =>
    `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${bytes.toString("base64")}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
  expect(await describePrivateKey(body(der), "wrong")).toMatchObject({ field: "passphrase" });
  const longer = Buffer.concat([
    der.subarray(0, at),
    Buffer.from([0x02, 0x04, 0x7f, 0xff, 0xff, 0xff]),
    der.subarray(at + 4),
  ]);
  expect(await describePrivateKey(body(longer), "wrong")).toMatchObject({
    reason: expect.stringContaining("PBKDF2 iterations"),
  });
});

it("what is no key is refused without being quoted", async () => {
  const pem = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5LWluLWEta2V5\n-----END PRIVATE KEY-----\n";
  const refusal = await describePrivateKey(pem, "");
  expect(refusal).toMatchObject({ field: "private_key" });
  expect(JSON.stringify(refusal)).not.toContain("canary");
});
