/**
 * Opens a sealed record by docs/storage.md ("Sealing, version 1") and node:crypto alone. It shares no code with the
 * Worker, so that what it opens shows that the format is what the document says.
 */
import { createDecipheriv, createHash, hkdfSync, timingSafeEqual } from "node:crypto";

const recordBytesMin = 101;

/** What a record is bound to: the five texts of its associated data. */
export interface RecordRow {
  readonly purpose: string;
  readonly projectId: string;
  readonly recordId: string;
  readonly secretVersion: number;
  readonly type: string;
}

/** A sealing key as a file holds it, with its id in hex. */
export interface RecoveryKey {
  readonly idHex: string;
  readonly bytes: Buffer;
}

/** The key, or in words what is wrong with the text; never the text. */
export function parseRecoveryKey(text: string): RecoveryKey | string {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed, "base64");
  if (bytes.toString("base64") !== trimmed) return "holds no standard base64";
  if (bytes.length !== 32) return `holds ${bytes.length} bytes where 32 are needed`;
  return { idHex: createHash("sha256").update(bytes).digest("hex").slice(0, 16), bytes };
}

/** The id of the sealing key of a record in hex, or null where it is no record of version 1. */
export function keyIdOf(record: Uint8Array): string | null {
  if (record.length < recordBytesMin || record[0] !== 1) return null;
  return Buffer.from(record.subarray(1, 9)).toString("hex");
}

/** The plaintext, or null where the record was altered, moved, or sealed under another key. */
export function openRecord(key: RecoveryKey, record: Uint8Array, row: RecordRow): Buffer | null {
  if (keyIdOf(record) !== key.idHex) return null;
  const derived = Buffer.from(hkdfSync("sha256", key.bytes, record.subarray(9, 41), "signalbox/seal/v1", 64));
  if (!timingSafeEqual(derived.subarray(32), record.subarray(41, 73))) return null;
  const decipher = createDecipheriv("aes-256-gcm", derived.subarray(0, 32), record.subarray(73, 85), {
    authTagLength: 16,
  });
  decipher.setAAD(associatedData(row));
  decipher.setAuthTag(record.subarray(-16));
  try {
    return Buffer.concat([decipher.update(record.subarray(85, -16)), decipher.final()]);
  } catch {
    return null;
  }
}

function associatedData({ purpose, projectId, recordId, secretVersion, type }: RecordRow): Buffer {
  const texts = [purpose, projectId, recordId, String(secretVersion), type];
  return Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(text));
      return [length, Buffer.from(text)];
    }),
  );
}
