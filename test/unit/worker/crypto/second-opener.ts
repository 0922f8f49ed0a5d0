/**
 * Opening a sealed record a second time, from the text of DESIGN section 6 alone and with node:crypto: nothing of
 * src/worker/crypto is imported here, so that the format cannot drift from what is written down.
 */
import { createDecipheriv, createHash, hkdfSync } from "node:crypto";

export interface RowOfRecord {
  readonly purpose: string;
  readonly projectId: string;
  readonly recordId: string;
  readonly secretVersion: number;
  readonly type: string;
}

export function openFromText(sealingKey: Uint8Array, record: Uint8Array, row: RowOfRecord): Buffer {
  const all = Buffer.from(record);
  if (all[0] !== 1) throw new Error("version");
  const keyId = all.subarray(1, 9);
  const salt = all.subarray(9, 41);
  const commitment = all.subarray(41, 73);
  const iv = all.subarray(73, 85);
  const ciphertext = all.subarray(85, -16);
  const tag = all.subarray(-16);
  if (!createHash("sha256").update(sealingKey).digest().subarray(0, 8).equals(keyId)) throw new Error("key id");
  const { cipherKey, committed } = recordKeysFromText(sealingKey, salt);
  if (!committed.equals(commitment)) throw new Error("commitment");
  const decipher = createDecipheriv("aes-256-gcm", cipherKey, iv, { authTagLength: 16 });
  decipher.setAAD(aadFromText(row));
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

export function recordKeysFromText(sealingKey: Uint8Array, salt: Uint8Array) {
  const derived = Buffer.from(hkdfSync("sha256", sealingKey, salt, "signalbox/seal/v1", 64));
  return { cipherKey: derived.subarray(0, 32), committed: derived.subarray(32, 64) };
}

export function aadFromText({ purpose, projectId, recordId, secretVersion, type }: RowOfRecord): Buffer {
  const fields = [purpose, projectId, recordId, String(secretVersion), type];
  return Buffer.concat(
    fields.flatMap((field) => {
      const text = Buffer.from(field, "utf8");
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      return [length, text];
    }),
  );
}
