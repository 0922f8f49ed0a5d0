/** A policy that does not parse: where and why. */
import { limits } from "../protocol/limits.ts";

export class PolicyError extends Error {
  override readonly name = "PolicyError";
  /** A path into the policy, or "line 3, column 7". */
  readonly at: string;
  readonly why: string;

  constructor(at: string, why: string) {
    super(at === "" ? why : `${at}: ${why}`);
    this.at = at;
    this.why = why;
  }
}

/** Line and column, from 1, of an offset into a text. */
export function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

/** No policy is nested so deeply, and what reads one descends into it. */
export const depthMax = limits.trustDepth;
export const tooDeep = `is nested too deeply: ${depthMax} levels are read`;

/** Whether lists and maps stand in one another more than `depthMax` times; descends no further than that. */
export function isTooDeep(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth >= depthMax || Object.values(value).some((each) => isTooDeep(each, depth + 1));
}
