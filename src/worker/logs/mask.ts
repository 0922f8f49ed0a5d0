/** Masking of one text: every needle in it, overlapping ones as one run, becomes `***`. Pure. */
import { fromUtf8Piece, utf8 } from "../lib/bytes.ts";
import { type Automaton, compileAutomaton, scan } from "./automaton.ts";

export const maskMark = "***";
const mark = utf8(maskMark);

/** Needles made ready, in the order of the job's list; built once per arm and kept in memory. Null: there are none. */
export type Matcher = { readonly needles: readonly string[]; readonly automaton: Automaton } | null;

export function compileMatcher(needles: readonly string[]): Matcher {
  return needles.length === 0 ? null : { needles, automaton: compileAutomaton(needles.map(utf8)) };
}

/** The same string where nothing was found, so that a caller can tell by identity. */
export function maskText(text: string, matcher: Matcher): string {
  if (matcher === null) return text;
  const bytes = utf8(text);
  const ranges: number[] = [];
  scan(matcher.automaton, 0, bytes, 0, ranges);
  return ranges.length === 0 ? text : cutRanges(bytes, 0, bytes.length, ranges);
}

/**
 * The text of `bytes`, which lie at `base` of a longer text, up to `until` of that text and without its ranges. Each
 * is marked where it begins; what lies before the first range from `at` on belongs to none.
 */
export function cutRanges(bytes: Uint8Array, base: number, until: number, ranges: readonly number[], at = 0): string {
  const end = Math.max(0, Math.min(bytes.length, until - base));
  let ranged = at;
  while (ranged < ranges.length && (ranges[ranged] ?? 0) - base < end) ranged += 2;
  // One buffer, and no list of pieces: a text may be nothing but short secrets.
  const shown = new Uint8Array(end + ((ranged - at) / 2) * mark.length);
  let [done, size] = [0, 0];
  const show = (piece: Uint8Array) => {
    shown.set(piece, size);
    size += piece.length;
  };
  for (let range = at; range < ranged; range += 2) {
    const start = (ranges[range] ?? 0) - base;
    // A range that began in an earlier text was marked there.
    if (start >= 0) {
      show(bytes.subarray(done, start));
      show(mark);
    }
    done = (ranges[range + 1] ?? 0) - base;
  }
  show(bytes.subarray(done, end));
  return fromUtf8Piece(shown.subarray(0, size));
}
