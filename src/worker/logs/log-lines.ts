/** One line of a log's text by its number, found event by event. Pure. */
import { limits } from "../../protocol/limits.ts";
import type { LogLine } from "../../protocol/log-reading.ts";

export class LineFinder {
  readonly #wanted: number;
  /** The line that comes next, or the one begun; from 1. */
  #line: number;
  #position: number | null = null;
  #text = "";

  /** `linesBefore` the text that is given. */
  constructor(wanted: number, linesBefore = 0) {
    this.#wanted = wanted;
    this.#line = linesBefore + 1;
  }

  /** The text of the next event. Answers the line once it is whole, or as much of it as is told. */
  take(position: number, text: string): LogLine | null {
    let start = 0;
    while (this.#line < this.#wanted) {
      const end = text.indexOf("\n", start);
      if (end < 0) return null;
      start = end + 1;
      this.#line++;
    }
    if (start === text.length) return null;
    this.#position ??= position;
    const end = text.indexOf("\n", start);
    this.#text += text.slice(start, end < 0 ? text.length : end);
    if (this.#text.length > limits.logLineChars) return this.#found(false);
    return end < 0 ? null : this.#found(true);
  }

  /** The line as far as it came, where the text ends in it; null where it never began. */
  rest(isFinal: boolean): LogLine | null {
    return this.#found(isFinal);
  }

  #found(complete: boolean): LogLine | null {
    if (this.#position === null) return null;
    const text = uncut(this.#text.slice(0, limits.logLineChars));
    return { line: this.#wanted, position: this.#position, text, complete };
  }
}

/** Without the half of a character that a cut left behind, at either end. */
export function uncut(text: string): string {
  return text.replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
}
