import { createHmac, hkdfSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { equalDigests } from "../../../../src/worker/crypto/digests.ts";
import { parseHeldKeys, sealSelfTest } from "../../../../src/worker/crypto/keyring.ts";
import { createSealer } from "../../../../src/worker/crypto/sealer.ts";
import type { SealContext } from "../../../../src/worker/crypto/sealing.ts";
import { fromUtf8, systemRandom, toHex, utf8 } from "../../../../src/worker/lib/bytes.ts";
import { type EpochMs, plusSeconds } from "../../../../src/worker/lib/time.ts";
import { faultOf, idOf, startedAt } from "../fixtures.ts";
import { keyBytes, keyText, sealingKeyOf } from "./sealing-keys.ts";

const keys = [await sealingKeyOf(1), await sealingKeyOf(2)] as const;
const selfTests = [await sealSelfTest(keys[0], systemRandom), await sealSelfTest(keys[1], systemRandom)] as const;
const context: SealContext = { purpose: "job_spec", projectId: idOf(1), recordId: idOf(2), secretVersion: 0, type: "" };

/** A database that says which key seals; `set` changes it, `reads` counts how often it was asked. */
function database(sealsWith: 0 | 1 | null) {
  let now: 0 | 1 | null = sealsWith;
  const word = {
    reads: 0,
    set: (next: 0 | 1 | null) => {
      now = next;
    },
  };
  async function all() {
    word.reads++;
    const seals = now;
    const results =
      seals === null
        ? []
        : keys.map((key, at) => ({
            key_id: [...key.id],
            self_test: [...(selfTests[at] ?? [])],
            seals_with: [...keys[seals].id],
          }));
    return { results };
  }
  return { db: { prepare: () => ({ all }) } as unknown as D1Database, word };
}

async function sealerOf(sealsWith: 0 | 1 | null, slots: readonly number[] = [1, 2]) {
  const { db, word } = database(sealsWith);
  const held = await parseHeldKeys(slots.map((n, at) => [`SLOT_${at + 1}`, keyText(n)] as const));
  const clock = { now: startedAt as EpochMs };
  return { sealer: createSealer(db, held, () => clock.now, systemRandom), word, clock };
}

test("what a sealer sealed it opens, in its row alone", async () => {
  const { sealer } = await sealerOf(0);
  const record = await sealer.seal(utf8("spec"), context);
  expect(fromUtf8(await sealer.open(record, context))).toBe("spec");
  expect(await faultOf(() => sealer.open(record, { ...context, recordId: idOf(3) }))).toMatchObject({
    code: "sealed_unreadable",
  });
});

describe("the database's word on which key seals", () => {
  test("is kept for 30 seconds, and then asked for again", async () => {
    const { sealer, word, clock } = await sealerOf(0);
    expect((await sealer.current()).idHex).toBe(keys[0].idHex);
    word.set(1);
    clock.now = plusSeconds(startedAt, 29);
    expect((await sealer.current()).idHex).toBe(keys[0].idHex);
    expect(word.reads).toBe(1);
    clock.now = plusSeconds(startedAt, 30);
    expect((await sealer.current()).idHex).toBe(keys[1].idHex);
  });

  test("is not kept before bootstrap: the next request may bring the first key", async () => {
    const { sealer, word } = await sealerOf(null);
    expect(await faultOf(() => sealer.current())).toMatchObject({ code: "unavailable" });
    word.set(0);
    expect((await sealer.current()).idHex).toBe(keys[0].idHex);
  });

  test("is asked for again at once when a trigger calls it stale, and the write is to be tried again", async () => {
    const { sealer, word } = await sealerOf(0);
    await sealer.current();
    word.set(1);
    const fault = await faultOf(() => sealer.write(() => Promise.reject(new Error("D1_ERROR: stale sealing key"))));
    expect(fault).toMatchObject({ code: "unavailable", retryAfterSeconds: 5 });
    expect((await sealer.current()).idHex).toBe(keys[1].idHex);
  });

  test("other errors of a write pass as they are", async () => {
    const { sealer } = await sealerOf(0);
    const error = new Error("UNIQUE constraint failed: jobs.id");
    await expect(sealer.write(() => Promise.reject(error))).rejects.toBe(error);
    expect(await sealer.write(() => Promise.resolve(7))).toBe(7);
  });

  test("never lets it seal under a key that is held but does not seal", async () => {
    const { sealer } = await sealerOf(0, [2]);
    expect(await faultOf(() => sealer.seal(utf8("x"), context))).toMatchObject({ code: "binding_unusable" });
    expect(await faultOf(() => sealer.requestMac({}))).toMatchObject({ code: "binding_unusable" });
  });
});

describe("a request's MAC", () => {
  test("is the same for the same body, whatever the order of its members", async () => {
    const { sealer } = await sealerOf(0);
    const one = await sealer.requestMac({ name: "a", secret: { b: [1, 2], a: null } });
    const other = await sealer.requestMac({ secret: { a: null, b: [1, 2] }, name: "a" });
    expect(equalDigests(one, other)).toBe(true);
  });

  test("differs for every other body", async () => {
    const { sealer } = await sealerOf(0);
    const bodies = [
      {},
      [],
      null,
      "",
      0,
      { a: 1 },
      { a: "1" },
      { a: [1] },
      { a: [1, 2] },
      { a: [2, 1] },
      { a: { b: 1 } },
    ];
    const macs = await Promise.all(bodies.map(async (body) => toHex(await sealer.requestMac(body))));
    expect(new Set(macs).size).toBe(bodies.length);
  });

  test("is keyed: no plain digest of the body finds it", async () => {
    const { sealer } = await sealerOf(0);
    const macKey = Buffer.from(hkdfSync("sha256", keyBytes(1), Buffer.alloc(0), "signalbox/request/v1", 32));
    const expected = createHmac("sha256", macKey).update('{"a":1,"b":2}').digest("hex");
    expect(toHex(await sealer.requestMac({ b: 2, a: 1 }))).toBe(expected);
  });

  test("under another key is another request", async () => {
    const [before, after] = [await sealerOf(0), await sealerOf(1)];
    const body = { name: "a" };
    expect(equalDigests(await before.sealer.requestMac(body), await after.sealer.requestMac(body))).toBe(false);
  });
});
