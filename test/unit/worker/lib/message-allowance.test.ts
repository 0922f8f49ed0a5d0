import { describe, expect, it } from "vitest";
import { limits } from "../../../../src/protocol/limits.ts";
import { MessageAllowance } from "../../../../src/worker/lib/message-allowance.ts";
import type { EpochMs } from "../../../../src/worker/lib/time.ts";

const start = 1_795_000_000_000;
const at = (seconds: number) => (start + seconds * 1000) as EpochMs;

function spent(allowance: MessageAllowance, now: EpochMs): number {
  let messages = 0;
  while (allowance.spend(now)) messages++;
  return messages;
}

describe("a socket's allowance of messages", () => {
  it("is small before the first frame, and grows by one with each frame and each second", () => {
    const allowance = new MessageAllowance(at(0));
    expect(spent(allowance, at(0))).toBe(limits.socketMessagesAtFirst);
    for (let frame = 0; frame < 7; frame++) allowance.earn();
    expect(spent(allowance, at(0))).toBe(7);
    expect(spent(allowance, at(25))).toBe(25);
  });

  it("is not saved up over a day, nor by a day's frames, for a flood", () => {
    const allowance = new MessageAllowance(at(0));
    for (let frame = 0; frame < 10_000; frame++) allowance.earn();
    expect(spent(allowance, at(86_400))).toBe(limits.socketMessagesSaved);
  });

  it("does not shrink when the clock is set back", () => {
    const allowance = new MessageAllowance(at(100));
    expect(spent(allowance, at(0))).toBe(limits.socketMessagesAtFirst);
    expect(allowance.spend(at(1))).toBe(true);
  });
});
