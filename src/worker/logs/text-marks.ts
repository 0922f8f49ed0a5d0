/**
 * Places in a log's text from which it can be read on as if it had been read from its beginning: no later event changes
 * what lies before them. Each lies between two events, behind a line end: neither a line nor a terminal sequence runs
 * over it; nor does a character, since stored text is well-formed event by event. Pure.
 */
import { utf8Length } from "../lib/bytes.ts";
import { createAnsiStripper } from "./strip-ansi.ts";

/** How much text there is: lines that have their end, bytes in UTF-8, and bytes without terminal sequences. */
export interface TextLength {
  readonly lines: number;
  readonly bytes: number;
  readonly stripped: number;
}

export type TextMeasure = keyof TextLength;

/** The event at `position` is the first behind the mark; the lengths are those of the text before it. */
export interface TextMark extends TextLength {
  readonly position: number;
}

export const firstMark: TextMark = { position: 0, lines: 0, bytes: 0, stripped: 0 };

/** UTF-16 units from one mark to the next, at least: so much is read in vain, and what one event holds. */
const markChars = 256 * 1024;

/** Takes the text from a mark on, and finds those that follow. */
export class TextMarker {
  readonly marks: TextMark[] = [];
  readonly #strip = createAnsiStripper();
  #length: TextLength;
  #charsSinceMark = 0;

  constructor({ lines, bytes, stripped }: TextMark) {
    this.#length = { lines, bytes, stripped };
  }

  /** Of all that was taken, and before it. */
  get length(): TextLength {
    return this.#length;
  }

  /** The texts of the events from `position` on. */
  take(position: number, texts: readonly string[]): void {
    let counted = 0;
    for (const [index, text] of texts.entries()) {
      this.#charsSinceMark += text.length;
      if (this.#charsSinceMark < markChars || !text.endsWith("\n")) continue;
      this.#count(texts.slice(counted, index + 1).join(""));
      counted = index + 1;
      this.#charsSinceMark = 0;
      this.marks.push({ position: position + counted, ...this.#length });
    }
    this.#count(texts.slice(counted).join(""));
  }

  #count(text: string): void {
    const { lines, bytes, stripped } = this.#length;
    this.#length = {
      lines: lines + lineEnds(text),
      bytes: bytes + utf8Length(text),
      stripped: stripped + utf8Length(this.#strip(text)),
    };
  }
}

function lineEnds(text: string): number {
  let count = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", end + 1)) count++;
  return count;
}
