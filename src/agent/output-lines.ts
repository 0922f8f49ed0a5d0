/**
 * Cuts a job's output into events. Whole lines stay together as far as they can, because servers mask secrets event
 * by event; an event never ends inside a character. Pure: the caller says what time it is and asks again when told.
 */
import { TextDecoder } from "node:util";

const limits = {
  /** Complete lines of this many characters go out at once … */
  eventChars: 32 * 1024,
  /** … and fewer of them after this long. */
  lineDelayMs: 100,
  /** A line longer than this is cut. */
  lineChars: 64 * 1024,
  /** A line without an end is shown after this long without more of it: it may be a prompt. */
  idleMs: 1000,
  /** … and after this long in any case: a progress bar never pauses. */
  tailMs: 3000,
} as const;

export class OutputLines {
  #decoder = newDecoder();
  #text = "";
  /** Where the unfinished last line begins in `#text`. */
  #lineStart = 0;
  #linesSince: number | null = null;
  #tailSince: number | null = null;
  #lastWrite = 0;

  /** @returns the events that are ready at once. */
  write(bytes: Uint8Array, now: number): string[] {
    this.#add(this.#decoder.decode(bytes, { stream: true }));
    this.#lastWrite = now;
    if (this.#lineStart > 0) {
      this.#linesSince ??= now;
      this.#tailSince = null;
    }
    this.#tailSince ??= now;
    if (this.#lineStart >= limits.eventChars || this.#text.length > limits.lineChars) return this.#takeFull();
    return [];
  }

  /** When to ask `due`; null: nothing waits. */
  get nextDue(): number | null {
    if (this.#linesSince !== null) return this.#linesSince + limits.lineDelayMs;
    // A lone "\r" waits for the "\n" that may follow.
    if (this.#text === "" || this.#text === "\r") return null;
    return Math.min(this.#lastWrite + limits.idleMs, (this.#tailSince ?? this.#lastWrite) + limits.tailMs);
  }

  /** The events whose time has come. */
  due(now: number): string[] {
    if (this.nextDue === null || now < this.nextDue) return [];
    if (this.#linesSince !== null) return cut(this.#take(this.#lineStart));
    this.#tailSince = null;
    return cut(this.#take(this.#text.endsWith("\r") ? this.#text.length - 1 : this.#text.length));
  }

  /** Everything that waits: the command ended. */
  end(): string[] {
    this.#add(this.#decoder.decode());
    this.#decoder = newDecoder();
    this.#tailSince = null;
    return cut(this.#take(this.#text.length));
  }

  #add(text: string): void {
    // A "\r" at the end of one write and the "\n" of the next are one line end: looking back finds it.
    this.#text = (this.#text + text).replaceAll("\r\n", "\n");
    this.#lineStart = this.#text.lastIndexOf("\n") + 1;
  }

  /** All whole lines, and of a line too long to wait for its end, what exceeds an event. */
  #takeFull(): string[] {
    const pieces = cut(this.#take(this.#lineStart));
    while (this.#text.length > limits.lineChars) pieces.push(this.#take(characterEnd(this.#text, limits.lineChars)));
    return pieces;
  }

  #take(length: number): string {
    const taken = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    this.#lineStart = Math.max(0, this.#lineStart - length);
    if (this.#lineStart === 0) this.#linesSince = null;
    return taken;
  }
}

function newDecoder(): TextDecoder {
  return new TextDecoder("utf-8", { ignoreBOM: true });
}

/** Pieces of at most an event's size at line ends; a line longer than that stays whole up to its own limit. */
function cut(text: string): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > limits.eventChars) {
    const end = pieceEnd(rest);
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  if (rest !== "") pieces.push(rest);
  return pieces;
}

function pieceEnd(text: string): number {
  const within = text.lastIndexOf("\n", limits.eventChars - 1) + 1;
  if (within > 0) return within;
  const next = text.indexOf("\n", limits.eventChars) + 1;
  if (next > 0 && next <= limits.lineChars) return next;
  return text.length <= limits.lineChars ? text.length : characterEnd(text, limits.lineChars);
}

/** `at`, or one before it where `at` would part the halves of one character or of "\r\n". */
function characterEnd(text: string, at: number): number {
  const last = text.charCodeAt(at - 1);
  const isHighSurrogate = last >= 0xd800 && last <= 0xdbff;
  return isHighSurrogate || last === 0x0d ? at - 1 : at;
}
