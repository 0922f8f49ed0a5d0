import { describe, expect, test } from "vitest";
import { planRotation } from "../../../../src/cli/signing-rotation.ts";
import { announcementSeconds, type SigningSlots } from "../../../../src/protocol/signing-keys.ts";
import { parseSigningKeys, type SigningKey, type SigningKeys } from "../../../../src/worker/crypto/signing.ts";
import { slotsAt } from "../../../../src/worker/identity/signing-slots.ts";
import {
  type EpochMs,
  type EpochSeconds,
  plusSeconds,
  toSeconds,
  toTimestamp,
} from "../../../../src/worker/lib/time.ts";
import { newSigningKey } from "../../../support/harness.ts";
import { startedAt as now } from "../fixtures.ts";

const [parsed] = (await parseSigningKeys([["SIGNING_KEY_1", newSigningKey(0, 3072)]])).keys;
if (parsed === undefined) throw new Error("no key");
const sample = parsed;

const key = (slot: 1 | 2, kid: string, fromNow: number): SigningKey => ({
  ...sample,
  binding: `SIGNING_KEY_${slot}`,
  kid,
  activatesAt: (toSeconds(now) + fromNow) as EpochSeconds,
});
const held = (...keys: SigningKey[]): SigningKeys => ({ keys, problems: [] });
const expiring = (kid: string, fromNow: number) => new Map([[kid, plusSeconds(now, fromNow)]]);
const slots = (signing: SigningKeys, expiries = new Map<string, EpochMs>(), at = now): SigningSlots => ({
  items: slotsAt(signing, expiries, at),
  next: null,
  now: toTimestamp(at),
  earliest_activation_at: toTimestamp(plusSeconds(at, announcementSeconds)),
});

test("one key leaves the other slot empty and free, and is never free itself while it signs", () => {
  const [one, two] = slots(held(key(1, "a", -10)), expiring("a", -9999)).items;
  expect(one).toMatchObject({ state: "active", kid: "a", bits: 3072, replaceable: false, replaceable_at: null });
  expect(two).toMatchObject({ slot: "SIGNING_KEY_2", state: "empty", kid: null, replaceable: true });
});

test("a slot that holds what is no key is named so, and free", () => {
  const signing = { keys: [key(1, "a", 0)], problems: [{ binding: "SIGNING_KEY_2", detail: "is not JSON" }] };
  expect(slots(signing).items[1]).toMatchObject({ state: "unusable", replaceable: true });
});

test("a key that is announced is not free, although no token bears it", () => {
  expect(slots(held(key(1, "a", -10), key(2, "b", 1))).items[1]).toMatchObject({
    state: "announced",
    replaceable: false,
    replaceable_at: null,
  });
});

describe("a key that signs no more", () => {
  const pair = held(key(1, "a", -100), key(2, "b", 0));

  test("is free at once where it signed nothing", () => {
    expect(slots(pair).items[0]).toMatchObject({ state: "retired", replaceable: true, last_token_expires_at: null });
  });

  test.each([
    [299, false],
    [300, true],
    [301, true],
  ])("%i s after its last token expired: free is %s", (since, free) => {
    const [retired] = slots(pair, expiring("a", -since)).items;
    expect(retired?.replaceable).toBe(free);
    expect(retired?.last_token_expires_at).toBe(toTimestamp(plusSeconds(now, -since)));
    if (!free) expect(retired?.replaceable_at).toBe(toTimestamp(plusSeconds(now, 300 - since)));
  });

  test("is the other one from the very second in which the newer is activated", () => {
    const states = (at: number) =>
      slots(held(key(1, "a", -100), key(2, "b", 10)), new Map(), plusSeconds(now, at)).items.map(({ state }) => state);
    expect([9, 10].map(states)).toEqual([
      ["active", "announced"],
      ["retired", "active"],
    ]);
  });
});

describe("a rotation", () => {
  const wish = { compromised: false, delaySeconds: 86_400 };

  test("goes into the empty slot, and is announced for as long as verifiers may keep the key set", () => {
    const plan = planRotation(slots(held(key(1, "a", 0))), wish);
    expect(plan).toMatchObject({ slot: { slot: "SIGNING_KEY_2" }, activatesAt: toSeconds(now) + 86_400 });
    expect(announcementSeconds).toBe(15 * 60 + 300 + 600 + 3600);
    const sooner = (delaySeconds: number) => planRotation(slots(held(key(1, "a", 0))), { ...wish, delaySeconds });
    expect(sooner(announcementSeconds - 1)).toContain("90m ahead");
    expect(sooner(announcementSeconds)).toMatchObject({ activatesAt: toSeconds(now) + announcementSeconds });
  });

  test("is refused while the other slot is announced, or its tokens may still be verified", () => {
    expect(planRotation(slots(held(key(1, "a", -5), key(2, "b", 99))), wish)).toContain("SIGNING_KEY_2 is announced");
    const retired = slots(held(key(1, "a", -5), key(2, "b", -1)), expiring("a", 60));
    expect(planRotation(retired, wish)).toContain(`until ${toTimestamp(plusSeconds(now, 360))}`);
  });

  test("of a compromised key overwrites the one that signs, from now on", () => {
    const plan = planRotation(slots(held(key(1, "a", -5), key(2, "b", -1))), { compromised: true, delaySeconds: 0 });
    expect(plan).toMatchObject({ slot: { kid: "b" }, activatesAt: toSeconds(now) });
  });
});
