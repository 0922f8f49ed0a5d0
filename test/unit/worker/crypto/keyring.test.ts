import { describe, expect, test } from "vitest";
import {
  type HeldKeys,
  openHeld,
  openSealed,
  parseHeldKeys,
  type SealingState,
  sealingKey,
  sealSelfTest,
} from "../../../../src/worker/crypto/keyring.ts";
import { type SealContext, seal } from "../../../../src/worker/crypto/sealing.ts";
import { systemRandom, utf8 } from "../../../../src/worker/lib/bytes.ts";
import { faultOf, idOf } from "../fixtures.ts";
import { flipped, keyText, sealingKeyOf } from "./sealing-keys.ts";

const [first, second, third] = [await sealingKeyOf(1), await sealingKeyOf(2), await sealingKeyOf(3)];
const context: SealContext = { purpose: "job_spec", projectId: idOf(1), recordId: idOf(2), secretVersion: 0, type: "" };
const record = await seal(first, utf8("spec"), context, systemRandom);
const ownSelfTest = await sealSelfTest(first, systemRandom);
const foreignSelfTest = await sealSelfTest(second, systemRandom);
const selfTests = new Map([
  [first.idHex, ownSelfTest],
  [second.idHex, foreignSelfTest],
]);

function slots(one: string | undefined, two?: string): Promise<HeldKeys> {
  return parseHeldKeys([
    ["ACCESS_KEY_ENCRYPTION", one],
    ["ACCESS_KEY_ENCRYPTION_2", two],
  ]);
}

const stateOf = (sealsWith: string | null, listed = selfTests): SealingState => ({ sealsWith, listed });

describe("the slots", () => {
  test("hold a key each, of equal rank: in whichever it lies, a key opens and seals", async () => {
    for (const held of [await slots(keyText(1), keyText(2)), await slots(keyText(2), keyText(1))]) {
      expect(held.problems).toEqual([]);
      expect((await sealingKey(held, stateOf(first.idHex))).idHex).toBe(first.idHex);
      expect((await sealingKey(held, stateOf(second.idHex))).idHex).toBe(second.idHex);
      expect(await openSealed(held, stateOf(second.idHex), record, context)).toEqual(utf8("spec"));
    }
  });

  test("may be the second alone", async () => {
    const held = await slots(undefined, keyText(1));
    expect(held.problems).toEqual([]);
    expect((await sealingKey(held, stateOf(first.idHex))).binding).toBe("ACCESS_KEY_ENCRYPTION_2");
  });

  test("that hold one key twice hold one key", async () => {
    expect((await slots(keyText(1), `${keyText(1)}\n`)).keys).toHaveLength(1);
  });

  test.each([
    [undefined, undefined],
    ["", ""],
  ])("that are both empty are named by the first", async (one, two) => {
    const held = await slots(one, two);
    expect(held).toEqual({ keys: [], problems: [{ binding: "ACCESS_KEY_ENCRYPTION", detail: "is not set" }] });
    const fault = await faultOf(() => openHeld(held, record, context));
    expect(fault).toMatchObject({ code: "binding_unusable", detail: "ACCESS_KEY_ENCRYPTION is not set" });
  });

  test("a malformed second one is named, unquoted, and the first goes on sealing and opening", async () => {
    const bad = "c2VjcmV0IQ==";
    const held = await slots(keyText(1), bad);
    expect(held.problems.map(({ binding }) => binding)).toEqual(["ACCESS_KEY_ENCRYPTION_2"]);
    expect(JSON.stringify(held.problems)).not.toContain(bad);
    expect((await sealingKey(held, stateOf(first.idHex))).idHex).toBe(first.idHex);
    expect(await openSealed(held, stateOf(first.idHex), record, context)).toEqual(utf8("spec"));
  });

  test("a malformed first one does not take down the second either", async () => {
    const held = await slots("not base64", keyText(1));
    expect(held.problems.map(({ binding }) => binding)).toEqual(["ACCESS_KEY_ENCRYPTION"]);
    expect(await openSealed(held, stateOf(first.idHex), record, context)).toEqual(utf8("spec"));
  });

  test("where the wanted key is not held and a slot is malformed, that slot is the one to look at", async () => {
    const fault = await faultOf(async () => sealingKey(await slots(keyText(2), "?"), stateOf(first.idHex)));
    expect(fault.code).toBe("binding_unusable");
    expect(fault.detail).toMatch(/^ACCESS_KEY_ENCRYPTION_2 is not standard base64/);
  });
});

describe("opening", () => {
  const opening = (held: HeldKeys, state: SealingState, sealed: Uint8Array = record, where = context) =>
    faultOf(() => openSealed(held, state, sealed, where));

  test("a record of a key that is listed and not held is the binding's fault, to be tried again", async () => {
    const fault = await opening(await slots(keyText(2)), stateOf(second.idHex));
    expect(fault.code).toBe("binding_unusable");
    expect(fault.detail).toBe(
      `ACCESS_KEY_ENCRYPTION does not hold the sealing key ${first.idHex} that this database uses`,
    );
    expect(fault.retryAfterSeconds).toBeGreaterThan(0);
  });

  test("a record of a key that was never listed is unreadable, held or not", async () => {
    const foreign = await seal(third, utf8("spec"), context, systemRandom);
    for (const held of [await slots(keyText(1)), await slots(keyText(1), keyText(3))]) {
      expect(await opening(held, stateOf(first.idHex), foreign)).toMatchObject({ code: "sealed_unreadable" });
    }
  });

  test("altered, moved, cut and foreign records are one refusal", async () => {
    const held = await slots(keyText(1), keyText(2));
    const relabelled = Uint8Array.from(record);
    relabelled.set(second.id, 1);
    const refusals = [
      await opening(held, stateOf(first.idHex), new Uint8Array()),
      await opening(held, stateOf(first.idHex), record.slice(0, 100)),
      await opening(held, stateOf(first.idHex), flipped(record, 0)),
      await opening(held, stateOf(first.idHex), flipped(record, 8)),
      await opening(held, stateOf(first.idHex), flipped(record, 100)),
      await opening(held, stateOf(first.idHex), flipped(record, record.length * 8 - 1)),
      await opening(held, stateOf(first.idHex), relabelled),
      await opening(held, stateOf(first.idHex), record, { ...context, recordId: idOf(3) }),
      await opening(held, stateOf(null, new Map())),
    ];
    const seen = refusals.map(({ code, detail, retryAfterSeconds }) =>
      JSON.stringify({ code, detail, retryAfterSeconds }),
    );
    expect(new Set(seen).size).toBe(1);
    expect(refusals[0]?.code).toBe("sealed_unreadable");
  });

  test("without the database's word, what no slot holds is the binding's fault and what is no record unreadable", async () => {
    const held = await slots(keyText(1));
    expect(await openHeld(held, record, context)).toEqual(utf8("spec"));
    const foreign = await seal(second, utf8("spec"), context, systemRandom);
    expect(await faultOf(() => openHeld(held, foreign, context))).toMatchObject({ code: "binding_unusable" });
    expect(await faultOf(() => openHeld(held, record.slice(0, 50), context))).toMatchObject({
      code: "sealed_unreadable",
    });
    expect(await faultOf(() => openHeld(held, flipped(record, 700), context))).toMatchObject({
      code: "sealed_unreadable",
    });
  });
});

describe("sealing", () => {
  const sealing = (held: HeldKeys, state: SealingState) => faultOf(() => sealingKey(held, state));

  test("before bootstrap there is nothing to seal under", async () => {
    const fault = await sealing(await slots(keyText(1)), stateOf(null, new Map()));
    expect(fault).toMatchObject({ code: "unavailable" });
    expect(fault.detail).toContain("bootstrap");
  });

  test("under a key that is not held it never falls back to the one that is", async () => {
    expect(await sealing(await slots(keyText(2)), stateOf(first.idHex))).toMatchObject({ code: "binding_unusable" });
  });

  test.each<[string, Map<string, Uint8Array<ArrayBuffer>>]>([
    ["is another key's", new Map([[first.idHex, foreignSelfTest]])],
    ["is altered", new Map([[first.idHex, flipped(ownSelfTest, 500)]])],
    ["is empty", new Map([[first.idHex, new Uint8Array()]])],
    ["is missing", new Map()],
    ["was sealed for something else", new Map([[first.idHex, record]])],
  ])("a slot whose self-test %s is named", async (_, listed) => {
    const fault = await sealing(await slots(keyText(2), keyText(1)), stateOf(first.idHex, listed));
    expect(fault).toMatchObject({ code: "binding_unusable", detail: "ACCESS_KEY_ENCRYPTION_2 fails its self-test" });
  });
});
