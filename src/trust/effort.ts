/**
 * How much one answer may cost, counted in steps and not in time: the same policy gets the same answer on every
 * machine, and whoever asks buys no more than their share of a processor. A policy within the clouds' own quotas takes a
 * small part of it.
 */
import { limits } from "../protocol/limits.ts";

export const tooCostly = "takes more steps than are taken here";

export class Effort {
  readonly #stepsMax: number;
  #steps = 0;
  #spent = false;

  constructor(max: number = limits.trustSteps) {
    this.#stepsMax = max;
  }

  /** Whether so much is left: then it is taken. After a no there is nothing left at all. */
  spend(steps = 1): boolean {
    this.#spent ||= this.#steps + steps > this.#stepsMax;
    if (!this.#spent) this.#steps += steps;
    return !this.#spent;
  }

  /** What came after it was spent, was not looked at: it is unknown. */
  get spent(): boolean {
    return this.#spent;
  }

  /** What was taken. */
  get steps(): number {
    return this.#steps;
  }
}
