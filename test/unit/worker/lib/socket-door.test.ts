import { expect, it } from "vitest";
import { limits } from "../../../../src/protocol/limits.ts";
import { closeCodes } from "../../../../src/protocol/log-frames.ts";
import { SocketDoor } from "../../../../src/worker/lib/socket-door.ts";
import type { EpochMs } from "../../../../src/worker/lib/time.ts";

const few = { own: 0, all: 0, most: 5 };
const at = (seconds: number) => (seconds * 1000) as EpochMs;

it("lets a principal come so often in a minute and no more, another as it likes, and both in the next minute", () => {
  const door = new SocketDoor();
  for (let times = 0; times < limits.socketOpensPerMinute; times++) expect(door.refusal("a", few, at(1))).toBeNull();
  expect(door.refusal("a", few, at(60))?.code).toBe(closeCodes.tooOften);
  expect(door.refusal("b", few, at(60))).toBeNull();
  expect(door.refusal("a", few, at(61))).toBeNull();
});

it("takes no more than the most of one principal, nor of everybody, and says which by its code", () => {
  const door = new SocketDoor();
  const crowd = { own: limits.viewersPerPrincipal, all: 5, most: 5 };
  expect(door.refusal("a", crowd, at(1))?.code).toBe(closeCodes.tooManyViewers);
  expect(door.refusal("a", { ...crowd, own: 0 }, at(1))?.code).toBe(closeCodes.crowded);
  expect(door.refusal("a", { ...crowd, own: 0, all: 4 }, at(1))).toBeNull();
});
