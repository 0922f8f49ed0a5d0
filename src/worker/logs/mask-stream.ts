/**
 * Masking of a command's joined output, whatever events and pushes it was cut into (DESIGN section 10). Pure.
 *
 * Everything that came out, joined, is what masking the whole at once would give, as far as it is decided: the
 * longest end of it that begins a needle waits for more. Text that waits never rests in clear. A `Carry` says which
 * needle it begins; the text is read from the needles when they are open again, and searched anew with what follows.
 */
import { concat, fromUtf8Piece, utf8 } from "../lib/bytes.ts";
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

/** Outputs that follow each other. */
export interface Outputs {
  readonly count: number;
  /** The bytes of one, good until the next are asked for. */
  bytes(at: number): Uint8Array;
}

export interface MaskedOutputs {
  /** The text of each output that is not to be shown as it came, by its number. */
  readonly changed: ReadonlyMap<number, string>;
  readonly carry: Carry | null;
}

/** `isOpen`: more of the same command may come, so that a needle's beginning waits. */
export function maskOutputs(
  outputs: Outputs,
  { held, matcher, isOpen }: { held: Held; matcher: Matcher; isOpen: boolean },
): MaskedOutputs {
  if (matcher === null) return { changed: onlyLead(outputs, held), carry: null };
  const found = searchAll(outputs, held, matcher.automaton);
  const waiting = isOpen ? unfinishedAt(matcher.automaton, found.state) : null;
  const until = (found.ends.at(-1) ?? 0) - (waiting?.depth ?? 0);
  return {
    changed: cutAll(outputs, held, { ...found, until }),
    carry: waiting === null ? null : { ...waiting, masked: maskedFrom(until, found.ranges) },
  };
}

function onlyLead(outputs: Outputs, { lead }: Held): Map<number, string> {
  return new Map(lead === "" ? [] : [[0, lead + fromUtf8Piece(outputs.bytes(0))]]);
}

interface Found {
  readonly ranges: readonly number[];
  /** Where each output ends in the whole. */
  readonly ends: readonly number[];
}

/** One output after the other, and never all of their bytes at once: a push may be large. */
function searchAll(outputs: Outputs, held: Held, automaton: Automaton): Found & { state: number } {
  // Began in an earlier output and was marked there: what overlaps it belongs to the same run.
  const ranges = [-1, held.masked];
  const ends: number[] = [];
  let [state, end] = [0, 0];
  for (let at = 0; at < outputs.count; at++) {
    const bytes = bytesOf(outputs, at, held);
    state = scan(automaton, state, bytes, end, ranges);
    end += bytes.length;
    ends.push(end);
  }
  return { ranges, ends, state };
}

function cutAll(outputs: Outputs, held: Held, { ranges, ends, until }: Found & { until: number }): Map<number, string> {
  const changed = new Map<number, string>();
  let range = 0;
  for (let at = 0; at < outputs.count; at++) {
    const [base, end] = [ends[at - 1] ?? 0, ends[at] ?? 0];
    while (range < ranges.length && (ranges[range + 1] ?? 0) <= base) range += 2;
    const isWhole = end <= until && (ranges[range] ?? end) >= end && (at > 0 || isNothing(held));
    if (isWhole) continue;
    const text = cutRanges(bytesOf(outputs, at, held), base, until, ranges, range);
    changed.set(at, at === 0 ? held.lead + text : text);
  }
  return changed;
}

function isNothing({ lead, bytes }: Held): boolean {
  return lead === "" && bytes.length === 0;
}

function bytesOf(outputs: Outputs, at: number, held: Held): Uint8Array {
  const bytes = outputs.bytes(at);
  return at === 0 && held.bytes.length > 0 ? concat(held.bytes, bytes) : bytes;
}

/** How far the last run that is marked before `until` reaches behind it. */
function maskedFrom(until: number, ranges: readonly number[]): number {
  let last = ranges.length - 2;
  while (last >= 0 && (ranges[last] ?? 0) >= until) last -= 2;
  return Math.max(0, (ranges[last + 1] ?? 0) - until);
}
