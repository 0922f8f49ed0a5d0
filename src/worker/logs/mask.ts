/**
 * Masking of one text: every needle in it, overlapping ones as one run, becomes `***`. Pure.
 * A value that is split over two events is not found here; the automaton over a command's joined output
 * (DESIGN section 10, issue 7) takes this file's place in append.ts and keeps automaton.ts.
 */
import { concat, fromUtf8, utf8 } from "../lib/bytes.ts";
import { type Automaton, compileAutomaton, findRanges } from "./automaton.ts";

export const maskMark = "***";

/** Needles made ready; built once per arm and kept in memory. */
export type Matcher = Automaton | null;

export function compileMatcher(needles: readonly string[]): Matcher {
  return needles.length === 0 ? null : compileAutomaton(needles.map(utf8));
}

/** The same string where nothing was found, so that a caller can tell by identity. */
export function maskText(text: string, matcher: Matcher): string {
  // A UTF-16 unit is at most three bytes, so a shorter text cannot hold even the shortest needle.
  if (matcher === null || text.length * 3 < matcher.needleBytesMin) return text;
  const bytes = utf8(text);
  const ranges = findRanges(matcher, bytes);
  if (ranges.length === 0) return text;
  const mark = utf8(maskMark);
  const kept: Uint8Array[] = [];
  let done = 0;
  for (let at = 0; at < ranges.length; at += 2) {
    kept.push(bytes.subarray(done, ranges[at]), mark);
    done = ranges[at + 1] ?? bytes.length;
  }
  return fromUtf8Keeping(concat(...kept, bytes.subarray(done)));
}

/** A byte order mark at the start belongs to the text here: the usual decoder would swallow it. */
function fromUtf8Keeping(bytes: Uint8Array): string {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
    ? `\uFEFF${fromUtf8(bytes.subarray(3))}`
    : fromUtf8(bytes);
}
