/**
 * Search in a log's text, a page at a time, from where the last call stopped. Matches may run over events and pages: what
 * may begin one at a page's end is kept in the cursor. The text is the stored one, so what masking hid is never found. Pure.
 */
import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import type { LogMatch } from "../../protocol/log-reading.ts";
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "../lib/bytes.ts";
import { uncut } from "./log-lines.ts";

const count = z.int().min(0);

/** Where a search stands. Whoever forges one is told wrong lines of a log that they may read. */
const SearchPlace = z.strictObject({
  /** The event to go on with, and how many units of its text are behind. */
  position: count,
  skip: count,
  /** Lines that ended before, and units of the present one that are behind. */
  lines: count,
  column: count,
  /** What may be the beginning of a match, as it stands in each event. */
  held: z.array(z.tuple([count, z.string()])).max(limits.logSearchChars),
});
export type SearchPlace = z.infer<typeof SearchPlace>;

export const searchStart: SearchPlace = { position: 0, skip: 0, lines: 0, column: 0, held: [] };

export interface Wanted {
  readonly text: string;
  readonly ignoreCase: boolean;
  /** Matches that begin in earlier events are not told. */
  readonly from: number;
}

export interface SearchedPage {
  readonly matches: LogMatch[];
  readonly place: SearchPlace;
  /** As many as were asked for were found before the page was read to its end. */
  readonly isCut: boolean;
}

export function encodePlace(place: SearchPlace): string {
  return toBase64Url(utf8(JSON.stringify(place)));
}

/** Null for a text that is no cursor of a search for `wanted`. */
export function decodePlace(cursor: string, wanted: Wanted): SearchPlace | null {
  try {
    const place = SearchPlace.parse(JSON.parse(fromUtf8(fromBase64Url(cursor) ?? new Uint8Array())));
    const held = place.held.map(([, text]) => text).join("");
    const [begun, beginning] = wanted.ignoreCase ? [folded(held), folded(wanted.text)] : [held, wanted.text];
    return begun.length < beginning.length && beginning.startsWith(begun) ? place : null;
  } catch {
    return null;
  }
}

/** `texts`: of the events from `place.position` on; `next`: the position behind them. */
export function searchPage(
  wanted: Wanted,
  place: SearchPlace,
  { texts, next }: { texts: readonly string[]; next: number },
  matchesMax: number,
): SearchedPage {
  const joined = new JoinedTexts(place, texts);
  const { text } = joined;
  const [haystack, needle] = wanted.ignoreCase ? [folded(text), folded(wanted.text)] : [text, wanted.text];
  const lines = new LineCounter(text, place, joined.heldUnits);
  const matches: LogMatch[] = [];
  let behind = 0;
  for (let at = haystack.indexOf(needle); at >= 0; at = haystack.indexOf(needle, behind)) {
    behind = at + needle.length;
    const { position } = joined.at(at);
    if (position < wanted.from) continue;
    matches.push({ position, ...lines.at(at), excerpt: excerptOf(text, at, behind, lines.at(at).column) });
    if (matches.length < matchesMax) continue;
    return { matches, place: { ...joined.behind(behind), ...lines.place(behind), held: [] }, isCut: true };
  }
  const held = joined.from(text.length - beginningAtEnd(haystack.slice(behind), needle));
  return { matches, place: { position: next, skip: 0, ...lines.place(text.length), held }, isCut: false };
}

/** What was held back and the texts behind it as one text, which knows the event that each of its units lies in. */
class JoinedTexts {
  readonly text: string;
  readonly heldUnits: number;
  /** Where each event's part begins; `skip` units of the event lie before it. Parts without a unit are left out. */
  readonly #parts: { start: number; position: number; skip: number; text: string }[] = [];

  constructor({ held, position, skip }: SearchPlace, texts: readonly string[]) {
    let start = 0;
    const add = (at: number, skipped: number, text: string) => {
      if (text === "") return;
      this.#parts.push({ start, position: at, skip: skipped, text });
      start += text.length;
    };
    for (const [at, text] of held) add(at, 0, text);
    this.heldUnits = start;
    for (const [index, text] of texts.entries()) {
      const skipped = index === 0 ? skip : 0;
      add(position + index, skipped, text.slice(skipped));
    }
    this.text = this.#parts.map(({ text }) => text).join("");
  }

  /** The event that this unit lies in, and how many of the event's units lie before it. */
  at(offset: number): { position: number; skip: number } {
    const part = this.#parts[this.#indexOf(offset)];
    if (part === undefined) throw new RangeError("there is no such unit");
    return { position: part.position, skip: part.skip + offset - part.start };
  }

  /** The place behind a match that ends there: its last unit never was held back. */
  behind(offset: number): { position: number; skip: number } {
    const { position, skip } = this.at(offset - 1);
    return { position, skip: skip + 1 };
  }

  from(offset: number): [number, string][] {
    if (offset >= this.text.length) return [];
    return this.#parts
      .slice(this.#indexOf(offset))
      .map(({ position, start, text }) => [position, text.slice(Math.max(0, offset - start))]);
  }

  #indexOf(offset: number): number {
    let [low, high] = [0, this.#parts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#parts[middle]?.start ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** Lines and columns of offsets that only grow. */
class LineCounter {
  readonly #text: string;
  #line: number;
  /** Where the present line begins: before the text, below zero. */
  #start: number;
  /** The next line end, which is not looked for twice. */
  #end: number;

  constructor(text: string, { lines, column }: SearchPlace, heldUnits: number) {
    this.#text = text;
    this.#line = lines + 1;
    this.#start = heldUnits - column;
    this.#end = text.indexOf("\n");
  }

  /** Both from 1. */
  at(offset: number): { line: number; column: number } {
    while (this.#end >= 0 && this.#end < offset) {
      this.#line++;
      this.#start = this.#end + 1;
      this.#end = this.#text.indexOf("\n", this.#start);
    }
    return { line: this.#line, column: offset - this.#start + 1 };
  }

  place(offset: number): Pick<SearchPlace, "lines" | "column"> {
    const { line, column } = this.at(offset);
    return { lines: line - 1, column: column - 1 };
  }
}

/** Units of the line that are shown on each side of a match. */
const excerptUnits = 80;

function excerptOf(text: string, from: number, until: number, column: number): string {
  const start = Math.max(0, from - Math.min(excerptUnits, column - 1));
  const [after = ""] = text.slice(until, until + excerptUnits).split("\n", 1);
  return uncut(text.slice(start, until) + after);
}

/** How many of the last units begin what is searched for, without being all of it. */
function beginningAtEnd(text: string, needle: string): number {
  for (let length = Math.min(needle.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(needle.slice(0, length))) return length;
  }
  return 0;
}

/** Without the difference of case, unit for unit: what has no lower case of its own length, or another one at a word's end, is named. */
function folded(text: string): string {
  return text.replaceAll("İ", "i").replace(/[Σς]/g, "σ").toLowerCase();
}
