/** Semaphore UI's secrets, opened: AES-GCM without associated data, with or without the id of the key, or in clear. */
import { createDecipheriv, createHash } from "node:crypto";
import type * as z from "zod";
import { parseJson } from "../../client/errors.ts";
import type { Secret } from "../../protocol/access-keys.ts";
import type { SourceKey } from "./rows.ts";

export interface SourceCipherKey {
  /** Base64url of the first 8 bytes of its SHA-256, as its ciphertexts name it. */
  readonly id: string;
  readonly bytes: Buffer;
}

/** A secret, or why there is none in words that never quote it. */
export type Opened = { readonly secret: z.input<typeof Secret>; readonly unencrypted: boolean } | string;

/** The key from `access_key_encryption`'s own text or a configuration file that holds it; in words what is wrong. */
export function parseCipherKey(text: string): SourceCipherKey | string {
  const config = parseJson(text);
  const held = typeof config === "object" && config !== null && "access_key_encryption" in config;
  const trimmed = held ? String(config.access_key_encryption).trim() : text.trim();
  const bytes = Buffer.from(trimmed, "base64");
  if (trimmed === "" || bytes.toString("base64") !== trimmed) return "holds no standard base64";
  if (![16, 24, 32].includes(bytes.length)) return `holds ${bytes.length} bytes where 16, 24 or 32 are needed`;
  const id = createHash("sha256").update(bytes).digest().subarray(0, 8).toString("base64url");
  return { id, bytes };
}

export function openSecret(row: SourceKey, keys: readonly SourceCipherKey[]): Opened {
  if (row.type === "none") return { secret: { type: "none" }, unencrypted: false };
  if (!["ssh", "login_password", "string"].includes(row.type)) return "is of a type that is not known here";
  if (row.secret === "") return openEmpty(row);
  // Ancient releases stored the private key as it is.
  if (row.secret.endsWith("\n")) {
    if (row.type !== "ssh") return "ends in a line break, which only a raw private key may";
    return { secret: { type: "ssh", private_key: row.secret }, unencrypted: true };
  }
  const [, id, blob = row.secret] = /^([A-Za-z0-9_-]{11}):([\s\S]*)$/.exec(row.secret) ?? [];
  const bytes = Buffer.from(blob, "base64");
  if (bytes.toString("base64") !== blob) return "holds neither base64 nor a raw private key";
  return openBytes(row.type, bytes, id, keys);
}

function openEmpty(row: SourceKey): Opened {
  if (row.plain !== "") return inClear(row.type, row.plain) ?? "holds an unencrypted secret of another form";
  return row.external ? "has its secret in an external store" : "holds no secret";
}

function openBytes(type: string, bytes: Buffer, id: string | undefined, keys: readonly SourceCipherKey[]): Opened {
  const candidates = id === undefined ? keys : keys.filter((key) => key.id === id);
  if (id !== undefined && candidates.length === 0) return `is encrypted under the key ${id}, not given`;
  for (const key of candidates) {
    const plain = decrypt(key, bytes);
    if (plain !== null) {
      const secret = secretOf(type, plain);
      return secret === null ? "opens, and holds something of another form" : { secret, unencrypted: false };
    }
  }
  const clear = id === undefined ? textOf(bytes) : null;
  const fallback = clear === null ? null : inClear(type, clear);
  return fallback ?? "opens with none of the keys given: it was altered, or encrypted under another key";
}

function decrypt(key: SourceCipherKey, blob: Buffer): string | null {
  if (blob.length < 28) return null;
  const algorithm = `aes-${key.bytes.length * 8}-gcm` as "aes-256-gcm";
  const decipher = createDecipheriv(algorithm, key.bytes, blob.subarray(0, 12), { authTagLength: 16 });
  decipher.setAuthTag(blob.subarray(-16));
  try {
    return textOf(Buffer.concat([decipher.update(blob.subarray(12, -16)), decipher.final()]));
  } catch {
    return null;
  }
}

/** Without a key, Semaphore UI stores plain base64. Ciphertext is no printable text but by a chance of one in millions. */
function inClear(type: string, text: string): Opened | null {
  if (/[^\P{Cc}\t\n\r]/u.test(text)) return null;
  const secret = secretOf(type, text);
  return secret === null ? null : { secret, unencrypted: true };
}

function secretOf(type: string, text: string): z.input<typeof Secret> | null {
  if (type === "string") return { type: "string", value: text };
  const parsed = parseJson(text);
  if (typeof parsed !== "object" || parsed === null) return null;
  // Older plaintexts miss fields.
  const field = (name: string) => {
    const value: unknown = Reflect.get(parsed, name);
    return typeof value === "string" ? value : "";
  };
  if (type === "login_password") return { type, login: field("login"), password: field("password") };
  return { type: "ssh", login: field("login"), private_key: field("private_key"), passphrase: field("passphrase") };
}

function textOf(bytes: Buffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
