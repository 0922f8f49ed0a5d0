/**
 * Masking of a command's joined output, whatever events and pushes it was cut into (DESIGN section 10). Pure.
 *
 * Everything that came out, joined, is what masking the whole at once would give, as far as it is decided: the
 * longest end of it that begins a needle waits for more. Text that waits never rests in clear. A `Carry` says which
 * needle it begins; the text is read from the needles when they are open again, and searched anew with what follows.
 */
import { concat, utf8, utf8Into } from "../lib/bytes.ts";
import { type Automaton, scan, unfinishedAt } from "./automaton.ts";
import { cutRanges, type Matcher, maskMark } from "./mask.ts";

export interface Carry {
  /** Its number in the job's list of needles, which only grows; `lostNeedle` where that list is gone. */
  readonly needle: number;
  /** So many bytes of it wait … */
  readonly depth: number;
  /** … and so many of these lie under a mark that is written already: a needle that overlaps them has ended. */
  readonly masked: number;
}

export const lostNeedle = -1;

/** What the next output begins with. */
export interface Held {
  /** Goes out as it is. */
  readonly lead: string;
  /** Is searched together with what follows. */
  readonly bytes: Uint8Array;
  readonly masked: number;
}

export const nothingHeld: Held = { lead: "", bytes: new Uint8Array(), masked: 0 };

/** What waits, read from its needle again. */
export function resumed(carry: Carry | null, matcher: Matcher): Held {
  if (carry === null) return nothingHeld;
  const needle = utf8(matcher?.needles[carry.needle] ?? "");
  // Of another list: what waited is not known, and it may begin a secret.
  if (needle.length < carry.depth) return givenUp(carry);
  return { lead: "", bytes: needle.subarray(0, carry.depth), masked: carry.masked };
}

/** What waits, where what follows it never arrived: whether it was a secret's beginning will not be known. */
export function givenUp(carry: Carry | null): Held {
  return { ...nothingHeld, lead: carry !== null && isHiding(carry) ? maskMark : "" };
}

/** False where all that waits lies under a mark: then nothing is missing from the log. */
export function isHiding({ depth, masked }: Carry): boolean {
  return depth > masked;
}

export interface MaskedOutputs {
  /** One for each that came, the very same string where it is unchanged. */
  readonly outputs: readonly string[];
  readonly carry: Carry | null;
}

/** Outputs that follow each other. `isOpen`: more of the same command may come, so that a needle's beginning waits. */
export function maskOutputs(
  texts: readonly string[],
  { held, matcher, isOpen }: { held: Held; matcher: Matcher; isOpen: boolean },
): MaskedOutputs {
  if (matcher === null) return { outputs: texts.map((text, at) => (at === 0 ? held.lead + text : text)), carry: null };
  const found = searchAll(texts, held, matcher.automaton);
  const waiting = isOpen ? unfinishedAt(matcher.automaton, found.state) : null;
  const until = (found.ends.at(-1) ?? 0) - (waiting?.depth ?? 0);
  return {
    outputs: cutAll(texts, held, { ...found, until }),
    carry: waiting === null ? null : { ...waiting, masked: maskedFrom(until, found.ranges) },
  };
}

interface Found {
  readonly ranges: readonly number[];
  /** Where each text ends in the whole. */
  readonly ends: readonly number[];
}

/** Texts of the official agent fit in, and an array made for each of them would cost as much as the search. */
const scratchBytes = 4096;

/** One text after the other, and never all of their bytes at once: a push may be large. */
function searchAll(texts: readonly string[], held: Held, automaton: Automaton): Found & { state: number } {
  // Began in an earlier text and was marked there: what overlaps it belongs to the same run.
  const ranges = [-1, held.masked];
  const ends: number[] = [];
  const scratch = new Uint8Array(scratchBytes);
  let [state, end] = [0, 0];
  for (const [at, text] of texts.entries()) {
    const fits = at > 0 && text.length * 3 <= scratchBytes;
    const bytes = fits ? scratch.subarray(0, utf8Into(text, scratch)) : bytesOf(text, at, held);
    state = scan(automaton, state, bytes, end, ranges);
    end += bytes.length;
    ends.push(end);
  }
  return { ranges, ends, state };
}

function cutAll(texts: readonly string[], held: Held, { ranges, ends, until }: Found & { until: number }): string[] {
  let range = 0;
  return texts.map((text, at) => {
    const [base, end] = [ends[at - 1] ?? 0, ends[at] ?? 0];
    while (range < ranges.length && (ranges[range + 1] ?? 0) <= base) range += 2;
    const isWhole = end <= until && (ranges[range] ?? end) >= end && (at > 0 || held.bytes.length === 0);
    const output = isWhole ? text : cutRanges(bytesOf(text, at, held), base, until, ranges, range);
    return at === 0 ? held.lead + output : output;
  });
}

function bytesOf(text: string, at: number, held: Held): Uint8Array {
  return at === 0 ? concat(held.bytes, utf8(text)) : utf8(text);
}

/** How far the last run that is marked before `until` reaches behind it. */
function maskedFrom(until: number, ranges: readonly number[]): number {
  let last = ranges.length - 2;
  while (last >= 0 && (ranges[last] ?? 0) >= until) last -= 2;
  return Math.max(0, (ranges[last + 1] ?? 0) - until);
}
