/**
 * Sealing v1 (docs/storage.md holds the format with a vector): AES-256-GCM under a key of the record's own,
 * bound to the row that it lies in, with a key commitment. This file never decides which key seals.
 */
import { type Bytes, concat, lengthPrefixed, type Random, utf8 } from "../lib/bytes.ts";
import { Fault } from "../lib/fault.ts";
import { equalDigests } from "./digests.ts";
import { keyIdBytes, type SealingKey } from "./sealing-key.ts";

const version = 1;
const saltBytes = 32;
const cipherKeyBytes = 32;
const commitmentBytes = 32;
const ivBytes = 12;
const tagBytes = 16;
const headerBytes = 1 + keyIdBytes + saltBytes + commitmentBytes + ivBytes;
const info = utf8("signalbox/seal/v1");

/** What a sealed record is for. Each purpose opens for itself alone. */
export type SealPurpose = "access_key" | "job_spec" | "log_masks" | "self_test";

/** The row that a record is bound to: its associated data. A record moved to another row does not open. */
export interface SealContext {
  readonly purpose: SealPurpose;
  /** Empty for what belongs to the organization. */
  readonly projectId: string;
  readonly recordId: string;
  /** 0 where the record has no versions. */
  readonly secretVersion: number;
  readonly type: string;
}

/** The id of the key that sealed `record`, or null where it is no v1 record. */
export function sealedUnder(record: Uint8Array): Bytes | null {
  if (record.length < headerBytes + tagBytes || record[0] !== version) return null;
  return record.subarray(1, 1 + keyIdBytes) as Bytes;
}

export async function seal(key: SealingKey, plaintext: Uint8Array, context: SealContext, random: Random) {
  const salt = random(saltBytes);
  const iv = random(ivBytes);
  const { cipher, commitment } = recordKeys(key, salt);
  const cipherKey = await crypto.subtle.importKey("raw", cipher, "AES-GCM", false, ["encrypt"]);
  const sealed = await crypto.subtle.encrypt(gcm(iv, context), cipherKey, plaintext as Bytes);
  return concat(Uint8Array.of(version), key.id, salt, commitment, iv, new Uint8Array(sealed));
}

/** @throws Fault `sealed_unreadable`, the same for every cause: no oracle tells a wrong key from an altered byte. */
export async function open(key: SealingKey, record: Uint8Array, context: SealContext): Promise<Bytes> {
  const id = sealedUnder(record);
  if (id === null || !equalDigests(id, key.id)) throw unreadable();
  let at = 1 + keyIdBytes;
  const take = (count: number) => {
    at += count;
    return record.subarray(at - count, at) as Bytes;
  };
  const [salt, committed, iv] = [take(saltBytes), take(commitmentBytes), take(ivBytes)];
  const { cipher, commitment } = recordKeys(key, salt);
  if (!equalDigests(commitment, committed)) throw unreadable();
  const cipherKey = await crypto.subtle.importKey("raw", cipher, "AES-GCM", false, ["decrypt"]);
  try {
    return new Uint8Array(await crypto.subtle.decrypt(gcm(iv, context), cipherKey, record.subarray(at) as Bytes));
  } catch (cause) {
    throw unreadable(cause);
  }
}

export function unreadable(cause?: unknown): Fault {
  return new Fault("sealed_unreadable", "a sealed record could not be opened", { cause });
}

function gcm(iv: Bytes, context: SealContext) {
  const { purpose, projectId, recordId, secretVersion, type } = context;
  const additionalData = lengthPrefixed(purpose, projectId, recordId, String(secretVersion), type);
  return { name: "AES-GCM", iv, additionalData, tagLength: tagBytes * 8 };
}

function recordKeys(key: SealingKey, salt: Bytes) {
  const derived = key.derive(info, salt, cipherKeyBytes + commitmentBytes);
  return { cipher: derived.subarray(0, cipherKeyBytes), commitment: derived.subarray(cipherKeyBytes) };
}
