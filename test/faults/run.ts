/** Runs the trials of faults, and tells what it saw. Each trial's seed is printed with its violations. */
import { randomUUID } from "node:crypto";
import { seeded } from "../unit/logs/seeded.ts";
import { crowds } from "./crowds.ts";
import type { Fault } from "./fault.ts";
import { histories } from "./histories.ts";
import { masks } from "./masks.ts";
import type { PlantedBug } from "./planted.ts";
import { inRoom } from "./room-fault.ts";
import { rotations } from "./rotation.ts";

export const faults: readonly Fault[] = [...[...histories, ...crowds, ...masks].map(inRoom), ...rotations];

export interface Outcome {
  readonly fault: Fault;
  readonly trials: number;
  /** One line each, with the seed that shows it again. */
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** With `planted`, one of the fault's bugs, the first violation is enough. */
export async function runFault(
  fault: Fault,
  run: { seed: number; trials: number; planted: PlantedBug | null },
): Promise<Outcome> {
  const stage = await fault.setUp(run.planted);
  const violations: string[] = [];
  let trials = 0;
  try {
    while (trials < run.trials && (run.planted === null || violations.length === 0)) {
      const seed = run.seed + trials++;
      const job = `${fault.name}-${seed}-${randomUUID()}`;
      const found = await stage.run({ job, random: seeded(seed) }).catch((cause: unknown) => [String(cause)]);
      violations.push(...found.map((violation) => `seed ${seed}: ${violation}`));
    }
  } finally {
    await stage.close();
  }
  return { fault, trials, violations, counts: stage.counts() };
}
