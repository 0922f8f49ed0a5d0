/** Runs the trials of faults, and tells what it saw. Each trial's seed is printed with its violations. */
import { randomUUID } from "node:crypto";
import { seeded } from "../unit/logs/seeded.ts";
import { crowds } from "./crowds.ts";
import type { Fault } from "./fault.ts";
import { histories } from "./histories.ts";
import { masks } from "./masks.ts";
import { World } from "./world.ts";

export const faults: readonly Fault[] = [...histories, ...crowds, ...masks];

export interface Outcome {
  readonly fault: Fault;
  readonly trials: number;
  /** One line each, with the seed that shows it again. */
  readonly violations: readonly string[];
}

/** With `planted` the fault's bug is in the room, and the first violation is enough. */
export async function runFault(
  fault: Fault,
  run: { seed: number; trials: number; planted: boolean },
): Promise<Outcome> {
  const world = await World.start(run.planted ? fault.planted : null);
  const violations: string[] = [];
  let trials = 0;
  try {
    while (trials < run.trials && !(run.planted && violations.length > 0)) {
      const seed = run.seed + trials++;
      const job = `${fault.name}-${seed}-${randomUUID()}`;
      const found = await fault.run({ world, job, random: seeded(seed) }).catch((cause: unknown) => [String(cause)]);
      violations.push(...found.map((violation) => `seed ${seed}: ${violation}`));
    }
  } finally {
    await world.close();
  }
  return { fault, trials, violations };
}
