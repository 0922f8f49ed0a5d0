/**
 * A private key, parsed and described: what kind it is, its public half, its fingerprint. Pure; runs on Node and on
 * workerd. The parser is loaded when first needed: no other request pays for it.
 */
import { examinePrivateKey, type PrivateKeyForm } from "./private-key-form.ts";

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

const kinds: readonly string[] = ["rsa", "ecdsa", "ed25519"];
/** What sshd asks for unless it is told otherwise (RequiredRSASize), as does ssh. */
const rsaBitsMin = 1024;

export async function describePrivateKey(pem: string, passphrase: string): Promise<KeyDescription | KeyRefusal> {
  const form = examinePrivateKey(pem);
  if ("reason" in form) return { field: "private_key", ...form };
  const { parsePrivateKey } = (await import("sshpk")).default;
  try {
    const opened = form.encrypted === "pem" ? await decryptedPem(pem, passphrase) : pem;
    if (typeof opened !== "string") return opened;
    const key = parsePrivateKey(opened, "auto", passphrase === "" ? {} : { passphrase });
    if (!kinds.includes(key.type))
      return { field: "private_key", reason: `is of type ${key.type}, which is not taken` };
    const publicKey = key.toPublic();
    if (key.type === "rsa" && publicKey.size < rsaBitsMin) {
      return { field: "private_key", reason: `is RSA of ${publicKey.size} bits: sshd takes none under ${rsaBitsMin}` };
    }
    const [kind, blob] = publicKey.toString("ssh").split(" ");
    return {
      fingerprint: publicKey.fingerprint("sha256").toString(),
      publicKey: `${kind} ${blob}`,
      comment: pem.includes("BEGIN OPENSSH") ? printable(key.comment) : "",
    };
  } catch (error) {
    return refusalOf(error, form, passphrase);
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

function refusalOf(error: unknown, { encrypted }: PrivateKeyForm, passphrase: string): KeyRefusal {
  const name = error instanceof Error ? error.name : "";
  if (name === "KeyEncryptedError") return { field: "passphrase", reason: "is needed: the private key is encrypted" };
  if (encrypted !== "no" && passphrase !== "") {
    return { field: "passphrase", reason: "does not open the private key, or the key is damaged" };
  }
  return { field: "private_key", reason: "is not a private key that can be parsed (OpenSSH, PKCS#1, PKCS#8, SEC 1)" };
}

/** sshpk would tell of a wrong passphrase past every catch, from an event of its stream: so not with sshpk. */
async function decryptedPem(pem: string, passphrase: string): Promise<string | KeyRefusal> {
  if (passphrase === "") return { field: "passphrase", reason: "is needed: the private key is encrypted" };
  const { createPrivateKey } = await import("node:crypto");
  return String(createPrivateKey({ key: pem, passphrase }).export({ type: "pkcs8", format: "pem" }));
}

function printable(comment: string | undefined): string {
  return (comment ?? "").replace(/[^\x20-\x7e]/g, "?").slice(0, 200);
}
