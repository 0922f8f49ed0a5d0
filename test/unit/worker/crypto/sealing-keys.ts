/** Sealing keys for tests. */

import { parseSealingKey, type SealingKey } from "../../../../src/worker/crypto/sealing-key.ts";
import type { Bytes, Random } from "../../../../src/worker/lib/bytes.ts";

/** The 32 bytes of the `n`th key. */
export function keyBytes(n: number): Buffer {
  return Buffer.alloc(32, n);
}

export function keyText(n: number): string {
  return keyBytes(n).toString("base64");
}

export async function sealingKeyOf(n: number, binding = "ACCESS_KEY_ENCRYPTION"): Promise<SealingKey> {
  const key = await parseSealingKey(binding, keyText(n));
  if (typeof key === "string") throw new Error(key);
  return key;
}

/** Random bytes that are told beforehand, in the order of their use. */
export function told(...answers: readonly Uint8Array[]): Random {
  const left = [...answers];
  return (count) => {
    const next = left.shift();
    if (next?.length !== count) throw new Error(`${count} random bytes were asked for`);
    return Uint8Array.from(next) as Bytes;
  };
}

/** A copy of `bytes` with bit `bit` (of the whole) turned over. */
export function flipped(bytes: Uint8Array, bit: number): Bytes {
  const copy = Uint8Array.from(bytes) as Bytes;
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}
