/** IAM's StringLike: `*` is any run of characters, `?` one, and `${*}` the star itself. */
import { Effort } from "../effort.ts";
import { fitsPieces } from "../wildcards.ts";

/** Stands for a literal `*`, `?` or `$` that came from `${*}`, so that it is not taken for a wildcard. */
export const literals = { "*": "\uE000", "?": "\uE001", $: "\uE002" } as const;

/** What a value reads as, its literals put back. */
export function readable(resolved: string): string {
  return Object.entries(literals).reduce((text, [character, mark]) => text.replaceAll(mark, character), resolved);
}

/** @param effort where it is spent the answer is no, and means nothing. */
export function like(value: string, pattern: string, effort = new Effort()): boolean {
  if (!effort.spend(pattern.length)) return false;
  const pieces = pattern
    .split(/\*+/)
    .map((piece) => Array.from(piece, (character) => (character === "?" ? null : readable(character))));
  return fitsPieces(value, pieces, effort);
}
