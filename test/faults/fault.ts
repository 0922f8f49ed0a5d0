/** One way in which things go wrong, and the checker that tells whether a promise held. */
import type { PlantedBug } from "./planted.ts";
import type { World } from "./world.ts";

export type Random = (below: number) => number;

export interface Trial {
  readonly world: World;
  /** A name that no other trial has. */
  readonly job: string;
  readonly random: Random;
}

export interface Fault {
  readonly name: string;
  /** What it is a test of, in a sentence. */
  readonly promise: string;
  /** The bug that must turn it red. */
  readonly planted: PlantedBug;
  readonly trials: number;
  /** Violations; none: the promise held. */
  run(trial: Trial): Promise<string[]>;
}
