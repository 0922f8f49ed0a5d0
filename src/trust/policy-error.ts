/** A policy that does not parse: where and why. */
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
