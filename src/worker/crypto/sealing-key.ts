/** One sealing key: 32 bytes from a secret binding, and the keys derived from it. */
import { hkdfSync } from "node:crypto";
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
  /**
   * `bytes` bytes of HKDF-SHA-256 (RFC 5869) over the key, which lies in this closure alone: whatever prints or encodes
   * the object has nothing to print. Node's HKDF, since WebCrypto's costs a second crossing into the platform for each
   * record.
   */
  readonly derive: (info: Uint8Array, salt: Uint8Array, bytes: number) => Bytes;
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
  return {
    binding,
    id,
    idHex: toHex(id),
    derive: (info, salt, length) => new Uint8Array(hkdfSync("sha256", bytes, salt, info, length)),
  };
}
