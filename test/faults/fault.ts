/** One way in which things go wrong, and the checker that tells whether a promise held. */
import type { PlantedBug } from "./planted.ts";

export type Random = (below: number) => number;

export interface Attempt {
  /** A name that no other trial has. */
  readonly job: string;
  readonly random: Random;
}

/** What a fault's trials happen in, sound or with a bug in it. */
export interface Stage {
  /** Violations; none: the promise held. */
  run(attempt: Attempt): Promise<string[]>;
  /** How much was tried so far, by its name: nothing broken in nothing tried is no promise held. */
  counts(): Record<string, number>;
  close(): Promise<void>;
}

export interface Fault {
  readonly name: string;
  /** What it is a test of, in a sentence. */
  readonly promise: string;
  /** The bugs of which each must turn it red. */
  readonly planted: readonly PlantedBug[];
  readonly trials: number;
  setUp(bug: PlantedBug | null): Promise<Stage>;
}
