/** Private keys made by an attacker: what they cost is judged as the parser will read it, or they are refused. */
import { execFileSync } from "node:child_process";
import { createCipheriv, createHash, generateKeyPairSync, pbkdf2Sync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describePrivateKey } from "../../../../src/worker/access-keys/private-key.ts";

function sshKeygen(...how: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-test-"));
  try {
    const file = join(folder, "id");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "opens-it", "-f", file, ...how]);
    return readFileSync(file, "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const lines = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString("base64").replace(/(.{64})(?=.)/g, "$1\n")}\n-----END ${label}-----\n`;
const bodyOf = (pem: string) => Buffer.from(pem.replace(/-----[^-]*-----|\s/g, ""), "base64");
const refusedFor = async (pem: string, passphrase = "opens-it") => {
  const described = await describePrivateKey(pem, passphrase);
  return "reason" in described ? described.field : described;
};

it("65 bcrypt rounds are refused however the file is wrapped", async () => {
  const costly = sshKeygen("-a", "65");
  const inner = costly.split("\n").slice(1, -2).join("\n");
  const wrapped = [
    costly.replaceAll("OPENSSH", "Openssh"),
    costly.replace("KEY-----\n", "KEY-----\nComment: x\n"),
    `-----BEGIN  PRIVATE KEY-----\n-----BEGIN Openssh PRIVATE KEY-----\n!!!!\n${inner}
-----END Openssh PRIVATE KEY-----\n-----END  PRIVATE KEY-----\n`,
    `-----BEGIN PRIVATE KEY-----\nMAo=\n-----END PRIVATE KEY-----\n${costly}`,
  ];
  for (const pem of [costly, ...wrapped]) expect(await refusedFor(pem)).toBe("private_key");
});

/** A DER element of up to 64 KiB. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const long = [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(content.length < 128 ? [content.length] : long)]), content]);
}

const oid = (hex: string) => der(0x06, Buffer.from(hex, "hex"));

/** RFC 8018's PBES2 around a private key, with this salt and so many iterations of HMAC-SHA-1, its default. */
function pbes2(salt: Buffer, iterations: number): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const count = Buffer.from(iterations.toString(16).padStart(6, "0"), "hex");
  const iv = Buffer.alloc(16, 7);
  const cipher = createCipheriv("aes-256-cbc", pbkdf2Sync("opens-it", salt, iterations, 32, "sha1"), iv);
  const sealed = [cipher.update(privateKey.export({ type: "pkcs8", format: "der" })), cipher.final()];
  const kdf = der(0x30, oid("2a864886f70d01050c"), der(0x30, der(0x04, salt), der(0x02, count)));
  const scheme = der(0x30, oid("60864801650304012a"), der(0x04, iv));
  const algorithm = der(0x30, oid("2a864886f70d01050d"), der(0x30, kdf, scheme));
  return lines("ENCRYPTED PRIVATE KEY", der(0x30, algorithm, der(0x04, ...sealed)));
}

it("PBKDF2 iterations are counted where the parser counts them, whatever the salt says", async () => {
  expect(await describePrivateKey(pbes2(Buffer.alloc(16, 1), 100_000), "opens-it")).toHaveProperty("fingerprint");
  // Where the outer length's second byte is taken for a short salt's tag, the salt itself tells of one iteration.
  const salt = Buffer.alloc(1030, Buffer.from([0x02, 0x01, 0x01]));
  for (let shift = 0; shift < 3; shift++) {
    const misleading = Buffer.concat([salt.subarray(shift), Buffer.alloc(shift)]);
    expect(await refusedFor(pbes2(misleading, 100_001))).toBe("private_key");
  }
});

/** RFC 1421's headers around what another label says of itself: the parser opens these first, and then the rest. */
function underHeaders(label: string, pem: string): string {
  const iv = Buffer.alloc(16, 7);
  const md5 = (...parts: Buffer[]) => createHash("md5").update(Buffer.concat(parts)).digest();
  const secret = Buffer.concat([Buffer.from("opens-it"), iv.subarray(0, 8)]);
  const cipher = createCipheriv("aes-128-cbc", md5(secret), iv);
  const sealed = Buffer.concat([cipher.update(bodyOf(pem)), cipher.final()]);
  const headers = `Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,${iv.toString("hex").toUpperCase()}\n\n`;
  return lines(label, sealed).replace("KEY-----\n", `KEY-----\n${headers}`);
}

it("no cost hides under the headers of another encryption", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const sec1 = String(privateKey.export({ type: "sec1", format: "pem" }));
  expect(await describePrivateKey(underHeaders("EC PRIVATE KEY", sec1), "opens-it")).toHaveProperty("fingerprint");
  const costly = underHeaders("ENCRYPTED PRIVATE KEY", pbes2(Buffer.alloc(16, 1), 100_001));
  expect(await refusedFor(costly)).toBe("private_key");
});

it("ciphers that are not read here are named as the reason, not the passphrase, with what to do about it", async () => {
  for (const cipher of ["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"]) {
    const refusal = await describePrivateKey(sshKeygen("-Z", cipher), "opens-it");
    expect(refusal).toMatchObject({ field: "private_key", reason: expect.stringContaining("ssh-keygen -p -Z") });
  }
});

it("a file that would make its parser fail past every catch is refused as any other", async () => {
  const body = bodyOf(sshKeygen("-Z", "aes256-cbc"));
  const last = [...body.keys()].find((at) => at + 4 <= body.length && body.readUInt32BE(at) === body.length - at - 4);
  const uneven = body.subarray(0, -1);
  uneven.writeUInt32BE(body.length - Number(last) - 5, Number(last));
  expect(await refusedFor(lines("OPENSSH PRIVATE KEY", uneven))).toBe("private_key");
  const cipher = { cipher: "aes-256-cbc", passphrase: "opens-it" } as const;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = String(privateKey.export({ type: "pkcs1", format: "pem", ...cipher }));
  expect(await refusedFor(pem.replace("Proc-Type", "proc-type"), "wrong")).toBe("private_key");
  await new Promise((resolve) => setImmediate(resolve));
});
