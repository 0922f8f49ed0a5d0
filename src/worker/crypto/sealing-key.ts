/** One sealing key: 32 bytes from a secret binding, and the keys derived from it. */
import { type Bytes, fromBase64, toHex } from "../lib/bytes.ts";
import { sha256 } from "./digests.ts";

export const keyIdBytes = 8;

export interface SealingKey {
  /** The binding that holds it. */
  readonly binding: string;
  /** First 8 bytes of SHA-256 of the key. */
  readonly id: Bytes;
  /** The same in hex, for maps and people. */
  readonly idHex: string;
  /** HKDF base key; not extractable. */
  readonly base: CryptoKey;
}

/**
 * Reads what `head -c32 /dev/urandom | base64` prints, a trailing newline included.
 * @returns the key, or in words what is wrong with the text (never the text).
 */
export async function parseSealingKey(binding: string, text: string): Promise<SealingKey | string> {
  const bytes = fromBase64(text.trim());
  if (bytes === null) return "is not standard base64: make it with head -c32 /dev/urandom | base64";
  if (bytes.length !== 32) return `holds ${bytes.length} bytes where 32 are needed`;
  const id = (await sha256(bytes)).slice(0, keyIdBytes);
  const base = await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveBits", "deriveKey"]);
  return { binding, id, idHex: toHex(id), base };
}

/** `bytes` bytes of HKDF-SHA-256 (RFC 5869) over the sealing key. */
export async function derive(key: SealingKey, info: Uint8Array, salt: Uint8Array, bytes: number): Promise<Bytes> {
  const bits = await crypto.subtle.deriveBits(
    { name: "HKDF", hash: "SHA-256", salt: salt as Bytes, info: info as Bytes },
    key.base,
    bytes * 8,
  );
  return new Uint8Array(bits);
}
