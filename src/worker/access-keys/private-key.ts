/**
 * A private key, parsed and described: what kind it is, its public half, its fingerprint. Pure; runs on Node and on
 * workerd. The parser is loaded when first needed: no other request pays for it.
 */
import { fromBase64 } from "../lib/bytes.ts";

export interface KeyDescription {
  /** `SHA256:…`, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
  /** One line of authorized_keys, without the comment. */
  readonly publicKey: string;
  readonly comment: string;
}

/** Why a private key is not taken. Never quotes it. */
export interface KeyRefusal {
  readonly field: "private_key" | "passphrase";
  readonly reason: string;
}

/** A passphrase costs as much to try as the file says. OpenSSH writes 16 or 24 rounds, and openssl 2,048 iterations. */
const bcryptRoundsMax = 64;
const pbkdf2IterationsMax = 100_000;
const kinds: readonly string[] = ["rsa", "ecdsa", "ed25519"];

export async function describePrivateKey(pem: string, passphrase: string): Promise<KeyDescription | KeyRefusal> {
  const costly = tooCostly(pem);
  if (costly !== null) return { field: "private_key", reason: costly };
  const { parsePrivateKey } = (await import("sshpk")).default;
  try {
    const opened = isEncryptedPem(pem) ? await decryptedPem(pem, passphrase) : pem;
    if (typeof opened !== "string") return opened;
    const key = parsePrivateKey(opened, "auto", passphrase === "" ? {} : { passphrase });
    if (!kinds.includes(key.type))
      return { field: "private_key", reason: `is of type ${key.type}, which is not taken` };
    const publicKey = key.toPublic();
    const [kind, blob] = publicKey.toString("ssh").split(" ");
    return {
      fingerprint: publicKey.fingerprint("sha256").toString(),
      publicKey: `${kind} ${blob}`,
      comment: pem.includes("BEGIN OPENSSH") ? printable(key.comment) : "",
    };
  } catch (error) {
    return refusalOf(error, pem, passphrase);
  }
}

/** A new Ed25519 key in OpenSSH's own form, which every ssh reads. `seed`: 32 random bytes (RFC 8032 section 5.1.5). */
export async function ed25519PrivateKey(seed: Uint8Array, comment: string): Promise<string> {
  const { PrivateKey } = (await import("sshpk")).default;
  // RFC 8410 section 7: everything of a PKCS#8 Ed25519 key but its seed is constant.
  const prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
  const der = btoa(String.fromCharCode(...prefix, ...seed));
  const key = PrivateKey.parse(`-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`, "pem");
  key.comment = comment;
  return key.toString("openssh");
}

function refusalOf(error: unknown, pem: string, passphrase: string): KeyRefusal {
  const name = error instanceof Error ? error.name : "";
  if (name === "KeyEncryptedError") return { field: "passphrase", reason: "is needed: the private key is encrypted" };
  const encrypted = passphrase !== "" && isEncrypted(pem);
  if (encrypted) return { field: "passphrase", reason: "does not open the private key, or the key is damaged" };
  return { field: "private_key", reason: "is not a private key that can be parsed (OpenSSH, PKCS#1, PKCS#8, SEC 1)" };
}

/** Encrypted PKCS#1, SEC 1 (RFC 1421 headers) or PKCS#8; OpenSSH's own form is none of these. */
function isEncryptedPem(pem: string): boolean {
  return pem.includes("BEGIN ENCRYPTED") || /^Proc-Type: *4, *ENCRYPTED$/m.test(pem);
}

/** sshpk would tell of a wrong passphrase past every catch, from an event of its stream: so not with sshpk. */
async function decryptedPem(pem: string, passphrase: string): Promise<string | KeyRefusal> {
  if (passphrase === "") return { field: "passphrase", reason: "is needed: the private key is encrypted" };
  const { createPrivateKey } = await import("node:crypto");
  return String(createPrivateKey({ key: pem, passphrase }).export({ type: "pkcs8", format: "pem" }));
}

function isEncrypted(pem: string): boolean {
  return pem.includes("ENCRYPTED") || openSshKdf(bodyOf(pem)) !== null;
}

function tooCostly(pem: string): string | null {
  const body = bodyOf(pem);
  // The parser skips what is no base64: what is not read the same here could hide its cost.
  if (pem.includes("BEGIN OPENSSH") && body.length === 0) return "is damaged: it is not base64";
  const rounds = openSshKdf(body);
  if (rounds !== null && rounds > bcryptRoundsMax) {
    return `asks for ${rounds} bcrypt rounds, and may for ${bcryptRoundsMax}: write it anew with ssh-keygen -p -a 16`;
  }
  const iterations = pbkdf2Iterations(body);
  if (pem.includes("BEGIN ENCRYPTED") && iterations === null) return "is encrypted in a way that is not known here";
  if (iterations !== null && iterations > pbkdf2IterationsMax) {
    return `asks for ${iterations} PBKDF2 iterations, and may for ${pbkdf2IterationsMax}`;
  }
  return null;
}

function bodyOf(pem: string): Uint8Array {
  const body = pem.replace(/-----[^-\n]*-----/g, "").replace(/\s/g, "");
  return fromBase64(body) ?? new Uint8Array();
}

/** The bcrypt rounds of an encrypted OpenSSH key (PROTOCOL.key: magic, cipher, kdf, options), or null. */
function openSshKdf(body: Uint8Array): number | null {
  const magic = "openssh-key-v1\0";
  if (![...magic].every((letter, at) => body[at] === letter.charCodeAt(0))) return null;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = magic.length;
  const skip = () => {
    at += 4 + view.getUint32(at);
  };
  try {
    skip();
    const kdfLength = view.getUint32(at);
    skip();
    if (kdfLength !== "bcrypt".length) return null;
    at += 4;
    skip();
    return view.getUint32(at);
  } catch {
    return null;
  }
}

/** The iterations of PBES2's PBKDF2 (RFC 8018 appendix A.2: salt OCTET STRING, then INTEGER), or null. */
function pbkdf2Iterations(body: Uint8Array): number | null {
  const hex = [...body.subarray(0, 256)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const at = hex.indexOf("06092a864886f70d01050c30");
  if (at < 0) return null;
  const options = hex.slice(at + 26);
  if (!options.startsWith("04")) return Number.POSITIVE_INFINITY;
  const integer = options.slice(4 + 2 * Number.parseInt(options.slice(2, 4), 16));
  if (!integer.startsWith("02")) return Number.POSITIVE_INFINITY;
  return Number.parseInt(integer.slice(4, 4 + 2 * Number.parseInt(integer.slice(2, 4), 16)), 16);
}

function printable(comment: string | undefined): string {
  return (comment ?? "").replace(/[^\x20-\x7e]/g, "?").slice(0, 200);
}
