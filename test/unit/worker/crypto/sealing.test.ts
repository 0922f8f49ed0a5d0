import { describe, expect, test, vi } from "vitest";
import { open, type SealContext, seal, sealedUnder } from "../../../../src/worker/crypto/sealing.ts";
import type { SealingKey } from "../../../../src/worker/crypto/sealing-key.ts";
import { problemResponse } from "../../../../src/worker/http/problem.ts";
import { systemRandom, utf8 } from "../../../../src/worker/lib/bytes.ts";
import { Fault } from "../../../../src/worker/lib/fault.ts";
import { idOf } from "../fixtures.ts";
import { flipped, keyBytes, sealingKeyOf, told } from "./sealing-keys.ts";
import { recordKeysFromText } from "./second-opener.ts";

const key = await sealingKeyOf(1);
const context: SealContext = {
  purpose: "access_key",
  projectId: idOf(1),
  recordId: idOf(2),
  secretVersion: 3,
  type: "ssh",
};
const plaintext = utf8("a private key, say, of some length that covers more than three blocks of AES");
const record = await seal(key, plaintext, context, systemRandom);
const headerBytes = 85;

/** All that a caller can see of a record that does not open: the fault's public part, and the answer on the wire. */
async function refusal(sealed: Uint8Array, where: SealContext = context, by: SealingKey = key): Promise<string> {
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  try {
    await open(by, sealed, where);
    return "it opened";
  } catch (error) {
    if (!(error instanceof Fault)) return `not a fault: ${String(error)}`;
    const { code, detail, errors, retryAfterSeconds, message } = error;
    const response = problemResponse(error, "r");
    const wire = [response.status, [...response.headers], await response.text()];
    return JSON.stringify({ code, detail, errors, retryAfterSeconds, message, wire });
  } finally {
    log.mockRestore();
  }
}

/** What every refusal must look like, to the letter. */
const theRefusal = await refusal(flipped(record, record.length * 8 - 1));

describe("a sealed record", () => {
  test("opens to what was sealed, whatever its length", async () => {
    for (const length of [0, 1, 15, 16, 17, 1000, 65_536]) {
      const bytes = systemRandom(length);
      const sealed = await seal(key, bytes, context, systemRandom);
      expect(sealed.length).toBe(headerBytes + length + 16);
      expect(Buffer.from(await open(key, sealed, context)).equals(bytes)).toBe(true);
    }
  });

  test("opens from inside a larger buffer", async () => {
    const larger = new Uint8Array(record.length + 20);
    larger.set(record, 7);
    expect(await open(key, larger.subarray(7, 7 + record.length), context)).toEqual(plaintext);
  });

  test("names the id of its key behind the version", () => {
    expect(record[0]).toBe(1);
    expect(sealedUnder(record)).toEqual(key.id);
  });

  test("is never the same twice, in no part but version and key id", async () => {
    const again = await seal(key, plaintext, context, systemRandom);
    for (const [from, to] of [[9, 41], [41, 73], [73, 85], [85, record.length - 16], [record.length - 16]]) {
      expect(Buffer.from(again.slice(from, to)).equals(record.slice(from, to))).toBe(false);
    }
  });

  test("does not hold its plaintext", () => {
    expect(Buffer.from(record).includes(Buffer.from(plaintext.slice(0, 8)))).toBe(false);
  });
});

describe("an altered record does not open, and nothing tells where it was altered", () => {
  test("the refusal itself is the public one", () => {
    expect(theRefusal).toContain('"code":"sealed_unreadable","detail":"a sealed record could not be opened"');
    expect(theRefusal).toContain('"wire":[500,');
  });

  test("every bit of the header and of the first 25 bytes of ciphertext", async () => {
    for (let bit = 0; bit < 110 * 8; bit++) {
      const seen = await refusal(flipped(record, bit));
      if (seen !== theRefusal) expect.fail(`bit ${bit}: ${seen}`);
    }
  });

  test("every 7th bit behind it, and every bit of the tag", async () => {
    const tagAt = (record.length - 16) * 8;
    for (let bit = 110 * 8; bit < record.length * 8; bit += bit < tagAt ? 7 : 1) {
      const seen = await refusal(flipped(record, bit));
      if (seen !== theRefusal) expect.fail(`bit ${bit}: ${seen}`);
    }
  });

  test("cut at every length, the empty record included", async () => {
    for (let length = 0; length < record.length; length++) {
      const seen = await refusal(record.slice(0, length));
      if (seen !== theRefusal) expect.fail(`${length} bytes: ${seen}`);
    }
  });

  test("cut at the front, extended at either end, doubled", async () => {
    const extra = Uint8Array.of(0);
    const altered = [
      record.slice(1),
      ...[
        [record, extra],
        [extra, record],
        [record, record],
      ].map((p) => Buffer.concat(p)),
    ];
    for (const bytes of altered) expect(await refusal(bytes)).toBe(theRefusal);
  });

  test("a version that is none of ours, 0 and every future one", async () => {
    for (let version = 0; version < 256; version++) {
      if (version === 1) continue;
      const other = Uint8Array.from(record);
      other[0] = version;
      expect(sealedUnder(other)).toBeNull();
      expect(await refusal(other)).toBe(theRefusal);
    }
  });

  test("with parts of another genuine record of the same row", async () => {
    const other = await seal(key, plaintext, context, systemRandom);
    for (const [from, to] of [
      [9, 41],
      [41, 73],
      [9, 73],
      [73, 85],
      [9, 85],
      [85, record.length],
    ] as const) {
      const mixed = Uint8Array.from(record);
      mixed.set(other.slice(from, to), from);
      expect(await refusal(mixed)).toBe(theRefusal);
    }
  });
});

describe("the commitment", () => {
  test("is what HKDF gives for the record's salt", () => {
    const { committed } = recordKeysFromText(keyBytes(1), record.slice(9, 41));
    expect(Buffer.from(record.slice(41, 73)).equals(committed)).toBe(true);
  });

  test("is checked: a record of zeros instead of it does not open although its ciphertext is genuine", async () => {
    const without = Uint8Array.from(record);
    without.fill(0, 41, 73);
    expect(await refusal(without)).toBe(theRefusal);
  });

  test("is checked before the cipher is touched", async () => {
    const decrypt = vi.spyOn(SubtleCrypto.prototype, "decrypt");
    try {
      await refusal(flipped(record, 41 * 8));
      await refusal(record.slice(0, 100));
      await refusal(flipped(record, 0));
      expect(decrypt).not.toHaveBeenCalled();
      await open(key, record, context);
      expect(decrypt).toHaveBeenCalledTimes(1);
    } finally {
      decrypt.mockRestore();
    }
  });
});

describe("a record opens only where it was put", () => {
  test.each<[string, Partial<SealContext>]>([
    ["moved to another project", { projectId: idOf(7) }],
    ["moved to the organization", { projectId: "" }],
    ["moved to another row", { recordId: idOf(7) }],
    ["of another type", { type: "string" }],
    ["of no type", { type: "" }],
    ["of an older version", { secretVersion: 2 }],
    ["of a newer version", { secretVersion: 4 }],
    ["of another version whose text begins alike", { secretVersion: 30 }],
    ["for another purpose", { purpose: "job_spec" }],
    ["with project and row exchanged", { projectId: context.recordId, recordId: context.projectId }],
    ["with a blank behind its id", { recordId: `${context.recordId} ` }],
  ])("%s it does not", async (_, changes) => {
    expect(await refusal(record, { ...context, ...changes })).toBe(theRefusal);
  });

  test("fields whose texts run together alike are different rows", async () => {
    const rows: SealContext[] = [
      { ...context, projectId: "ab", recordId: "c" },
      { ...context, projectId: "a", recordId: "bc" },
      { ...context, projectId: "", recordId: "abc" },
      { ...context, projectId: "abc", recordId: "" },
      { ...context, projectId: "a\0\0\0\u0001b", recordId: "c" },
      { ...context, projectId: "a", recordId: "\0\0\0\u0001bc" },
      { ...context, recordId: "1", secretVersion: 12, type: "3" },
      { ...context, recordId: "11", secretVersion: 2, type: "3" },
      { ...context, recordId: "1", secretVersion: 1, type: "23" },
    ];
    for (const [at, row] of rows.entries()) {
      const sealed = await seal(key, plaintext, row, systemRandom);
      for (const [other, where] of rows.entries()) {
        expect(await refusal(sealed, where)).toBe(other === at ? "it opened" : theRefusal);
      }
    }
  });

  test("another sealing key does not open it, not even one that claims its id", async () => {
    const stranger = await sealingKeyOf(2);
    expect(await refusal(record, context, stranger)).toBe(theRefusal);
    expect(await refusal(record, context, { ...stranger, id: key.id, idHex: key.idHex })).toBe(theRefusal);
  });

  test("and a record under another key's id does not open under its own", async () => {
    const stranger = await sealingKeyOf(2);
    const relabelled = Uint8Array.from(record);
    relabelled.set(stranger.id, 1);
    expect(await refusal(relabelled, context, stranger)).toBe(theRefusal);
    expect(await refusal(relabelled)).toBe(theRefusal);
  });
});

test("salt and IV are asked of the random source afresh for every record, and are all that makes two seals differ", async () => {
  const [salt, iv] = [Buffer.alloc(32, 7), Buffer.alloc(12, 9)];
  const once = await seal(key, plaintext, context, told(salt, iv));
  expect(await seal(key, plaintext, context, told(salt, iv))).toEqual(once);
  await expect(seal(key, plaintext, context, told(salt))).rejects.toThrow("12 random bytes were asked for");
  await expect(seal(key, plaintext, context, told())).rejects.toThrow("32 random bytes were asked for");
});
