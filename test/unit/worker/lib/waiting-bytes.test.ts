import { expect, it } from "vitest";
import type { EpochMs } from "../../../../src/worker/lib/time.ts";
import { WaitingBytes } from "../../../../src/worker/lib/waiting-bytes.ts";

const at = (ms: number) => ms as EpochMs;

it("sums what was last said of each socket, for each principal alone", () => {
  const waiting = new WaitingBytes();
  const [one, two] = [{}, {}];
  waiting.put("ann", one, 5);
  waiting.put("ann", two, 7);
  waiting.put("bob", {}, 100);
  waiting.put("ann", one, 3);
  expect(waiting.total("ann", at(0))).toBe(10);
  waiting.put("ann", two, 0);
  expect(waiting.total("ann", at(0))).toBe(3);
  waiting.put("ann", one, 0);
  expect([waiting.total("ann", at(0)), waiting.total("bob", at(0))]).toEqual([0, 100]);
});

it("forgets what was said until a time, unless it is said again", () => {
  const waiting = new WaitingBytes();
  const [gone, stays] = [{}, {}];
  waiting.put("ann", gone, 5, at(1000));
  waiting.put("ann", stays, 7, at(1000));
  expect(waiting.total("ann", at(999))).toBe(12);
  waiting.put("ann", stays, 6, at(2000));
  expect(waiting.total("ann", at(1000))).toBe(6);
  expect(waiting.total("ann", at(2000))).toBe(0);
});
