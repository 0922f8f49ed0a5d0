/** Faults of a log room: each trial is a job of its own in one room's Worker. */
import type { Attempt, Fault } from "./fault.ts";
import type { RoomBug } from "./planted.ts";
import { World } from "./world.ts";

export interface Trial extends Attempt {
  readonly world: World;
}

export interface RoomFault extends Pick<Fault, "name" | "promise" | "trials"> {
  /** The bug in the room that must turn it red. */
  readonly planted: RoomBug;
  /** Violations; none: the promise held. */
  run(trial: Trial): Promise<string[]>;
}

export function inRoom({ name, promise, planted, trials, run }: RoomFault): Fault {
  return {
    name,
    promise,
    planted: [planted],
    trials,
    async setUp(bug) {
      const world = await World.start(bug === null ? null : planted);
      return { run: (attempt) => run({ world, ...attempt }), counts: () => ({}), close: () => world.close() };
    },
  };
}
