/**
 * Wildcards: `*` is any run of characters, and where a cloud has it `?` is one. Each piece between stars is looked for
 * once, from where the last one ended, since what fits leftmost leaves most to the rest: nothing is tried again.
 */
import type { Effort } from "./effort.ts";

/** What stands between two stars: characters, or null for any one. */
export type Piece = readonly (string | null)[];

/**
 * Linear in value and pieces together; a piece with nulls takes its length times the value at most.
 * @param effort where it is spent the answer is no, and means nothing.
 */
export function fitsPieces(value: string, pieces: readonly Piece[], effort: Effort): boolean {
  if (!effort.spend(value.length)) return false;
  const text = Array.from(value);
  const [first = [], ...others] = pieces;
  const last = others.pop();
  if (last === undefined) return text.length === first.length && fitsAt(text, first, 0, effort);
  const end = text.length - last.length;
  if (end < first.length || !fitsAt(text, first, 0, effort) || !fitsAt(text, last, end, effort)) return false;
  let at = first.length;
  for (const piece of others) {
    const found = piece.includes(null) ? findOpen(text, piece, at, end, effort) : find(text, piece, at, end, effort);
    if (found === null) return false;
    at = found + piece.length;
  }
  return true;
}

function fitsAt(text: readonly string[], piece: Piece, at: number, effort: Effort): boolean {
  return piece.every((wanted, offset) => effort.spend() && (wanted === null || text[at + offset] === wanted));
}

/** Where the piece stands first in `text[from, end)`, or null; after Knuth, Morris and Pratt. */
function find(text: readonly string[], piece: Piece, from: number, end: number, effort: Effort): number | null {
  const borders = bordersOf(piece, effort);
  let matched = 0;
  for (let at = from; at < end && matched < piece.length; at++) {
    matched = extended(piece, borders, matched, text[at] ?? null, effort);
    if (matched === piece.length) return at + 1 - matched;
  }
  return piece.length === 0 ? from : null;
}

/** Of each beginning of the piece: how much of it is its end too. */
function bordersOf(piece: Piece, effort: Effort): number[] {
  const borders: number[] = [0];
  for (let at = 1; at < piece.length; at++) {
    borders.push(extended(piece, borders, borders[at - 1] ?? 0, piece[at] ?? null, effort));
  }
  return borders;
}

function extended(
  piece: Piece,
  borders: readonly number[],
  matched: number,
  next: string | null,
  effort: Effort,
): number {
  let length = matched;
  while (effort.spend() && length > 0 && piece[length] !== next) length = borders[length - 1] ?? 0;
  return piece[length] === next ? length + 1 : 0;
}

/** A piece with `?` has no borders: each place is tried. */
function findOpen(text: readonly string[], piece: Piece, from: number, end: number, effort: Effort): number | null {
  for (let at = from; at + piece.length <= end; at++) {
    if (fitsAt(text, piece, at, effort)) return at;
    if (effort.spent) return null;
  }
  return null;
}
