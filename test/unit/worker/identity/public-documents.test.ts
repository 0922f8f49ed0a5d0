import { expect, test } from "vitest";
import { parseSigningKeys } from "../../../../src/worker/crypto/signing.ts";
import { createPublicDocuments } from "../../../../src/worker/identity/public-documents.ts";
import { type EpochMs, plusSeconds, toSeconds } from "../../../../src/worker/lib/time.ts";
import { newSigningKey } from "../../../support/harness.ts";
import { startedAt } from "../fixtures.ts";

const issuer = "https://ci.example.com";
const signing = await parseSigningKeys([
  ["SIGNING_KEY_1", newSigningKey(0)],
  ["SIGNING_KEY_2", newSigningKey(toSeconds(startedAt) + 60)],
]);
const kids = signing.keys.map(({ kid }) => kid);

function documents(keys = signing) {
  let [now, makings]: [EpochMs, number] = [startedAt, 0];
  const make = (text: string, etag: string) => ({ content: JSON.parse(text), etag, making: ++makings });
  const served = createPublicDocuments({ issuer, signing: keys, clock: () => now }, make);
  return { ...served, passTo: (seconds: number) => (now = plusSeconds(startedAt, seconds)) };
}

test("a document is made once, for as long as it says the same", async () => {
  const { discovery, keySet, passTo } = documents();
  const [first, keys] = [await discovery(), await keySet()];
  passTo(59);
  // Not even a promise: a request makes nothing of its own.
  expect([discovery(), keySet()]).toEqual([first, keys]);
  expect([first.making, keys.making]).toEqual([1, 2]);
  expect(first.etag).not.toBe(keys.etag);
});

test("the key set is another from the second in which another key signs, and the first again should the clock go back", async () => {
  const { keySet, passTo } = documents();
  const kidsAt = async (seconds: number) => {
    passTo(seconds);
    const { content, etag } = await keySet();
    return [etag, ...content.keys.map(({ kid }: { kid: string }) => kid)];
  };
  const [before, after] = [await kidsAt(59), await kidsAt(60)];
  expect([before.slice(1), after.slice(1)]).toEqual([kids, kids.toReversed()]);
  expect(after[0]).not.toBe(before[0]);
  expect(await kidsAt(59)).toEqual(before);
});

test("without a usable key there is no key set, for verifiers would keep an empty one, and discovery goes on", async () => {
  const { discovery, keySet } = documents(await parseSigningKeys([["SIGNING_KEY_1", "nonsense"]]));
  expect(() => keySet()).toThrow("SIGNING_KEY_1 is not JSON");
  expect((await discovery()).content.issuer).toBe(issuer);
});
