import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { open, type SealContext, type SealPurpose, seal } from "../../../../src/worker/crypto/sealing.ts";
import { parseSealingKey } from "../../../../src/worker/crypto/sealing-key.ts";
import { systemRandom, toHex, utf8 } from "../../../../src/worker/lib/bytes.ts";
import { seeded, textOf } from "../../logs/seeded.ts";
import { flipped, keyBytes, sealingKeyOf, told } from "./sealing-keys.ts";
import { aadFromText, openFromText, recordKeysFromText } from "./second-opener.ts";

interface Vector {
  sealing_key_base64: string;
  sealing_key: string;
  key_id: string;
  salt: string;
  iv: string;
  purpose: SealPurpose;
  project_id: string;
  record_id: string;
  secret_version: number;
  type: string;
  plaintext_utf8: string;
  derived_cipher_key: string;
  derived_commitment: string;
  aad: string;
  record: string;
}

const vector = JSON.parse(readFileSync(join(import.meta.dirname, "sealing-vector.json"), "utf8")) as Vector;
const context: SealContext = {
  purpose: vector.purpose,
  projectId: vector.project_id,
  recordId: vector.record_id,
  secretVersion: vector.secret_version,
  type: vector.type,
};
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const parsed = await parseSealingKey("ACCESS_KEY_ENCRYPTION", vector.sealing_key_base64);
if (typeof parsed === "string") throw new Error(parsed);
const key = parsed;

describe("the published vector", () => {
  test("is what src seals from its key, salt, IV, row and plaintext", async () => {
    const random = told(bytes(vector.salt), bytes(vector.iv));
    expect(toHex(await seal(key, utf8(vector.plaintext_utf8), context, random))).toBe(vector.record);
  });

  test("opens in src", async () => {
    expect(await open(key, bytes(vector.record), context)).toEqual(utf8(vector.plaintext_utf8));
  });

  test("opens by the text alone", () => {
    const opened = openFromText(bytes(vector.sealing_key), bytes(vector.record), context);
    expect(opened.toString("utf8")).toBe(vector.plaintext_utf8);
  });

  test("shows its parts truly", () => {
    const { cipherKey, committed } = recordKeysFromText(bytes(vector.sealing_key), bytes(vector.salt));
    expect(Buffer.from(vector.sealing_key_base64, "base64").toString("hex")).toBe(vector.sealing_key);
    expect(createHash("sha256").update(bytes(vector.sealing_key)).digest("hex").slice(0, 16)).toBe(vector.key_id);
    expect(key.idHex).toBe(vector.key_id);
    expect(cipherKey.toString("hex")).toBe(vector.derived_cipher_key);
    expect(committed.toString("hex")).toBe(vector.derived_commitment);
    expect(aadFromText(context).toString("hex")).toBe(vector.aad);
    const head = `01${vector.key_id}${vector.salt}${vector.derived_commitment}${vector.iv}`;
    expect(vector.record.startsWith(head)).toBe(true);
    expect(vector.record.length).toBe(head.length + 2 * (Buffer.byteLength(vector.plaintext_utf8) + 16));
  });
});

describe("a second implementation, from the text alone", () => {
  const random = seeded(6);
  const texts = ["", "ssh", "näme", "\u{1f682}", "a:b", "\0"];
  const purposes = ["access_key", "job_spec", "log_masks", "self_test"] as const;

  test("opens 200 records that src sealed, of odd rows and lengths", async () => {
    const sealing = await sealingKeyOf(5);
    for (let round = 0; round < 200; round++) {
      const row: SealContext = {
        purpose: purposes[random(4)] ?? "access_key",
        projectId: texts[random(texts.length)] ?? "",
        recordId: textOf(random, "0123456789abcdef-", 1 + random(40)),
        secretVersion: random(2) === 0 ? 0 : random(1_000_000),
        type: texts[random(texts.length)] ?? "",
      };
      const plaintext = systemRandom(random(300));
      const record = await seal(sealing, plaintext, row, systemRandom);
      expect(openFromText(keyBytes(5), record, row).equals(plaintext)).toBe(true);
    }
  });

  test("refuses what src refuses", async () => {
    const record = bytes(vector.record);
    for (let bit = 0; bit < record.length * 8; bit += 5) {
      expect(() => openFromText(bytes(vector.sealing_key), flipped(record, bit), context)).toThrow();
    }
    for (const changes of [
      { recordId: "x" },
      { projectId: "" },
      { secretVersion: 0 },
      { type: "" },
      { purpose: "x" },
    ]) {
      expect(() => openFromText(bytes(vector.sealing_key), record, { ...context, ...changes })).toThrow();
    }
  });
});
