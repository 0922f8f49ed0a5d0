/**
 * A line of output read as bytes: where it says exactly `{"event":"cmd_output","timestamp":N,"output":"…"}`, nothing of
 * it becomes a string. Nearly every line of a log is one, and a parser for each would cost a push more than storing
 * it and sending it on. What stands between the quotes is one JSON string (RFC 8259 section 7) and nothing else, so no
 * second `output` can hide in it. Pure.
 */
import { utf8 } from "../lib/bytes.ts";
import { escapeLength } from "./json-escapes.ts";

/** What such a line says, and where its output stands in the bytes that hold it: what is between the quotes. */
export interface OutputPlace {
  readonly timestamp: number;
  readonly start: number;
  readonly end: number;
  /** Behind the line's end. */
  readonly lineEnd: number;
  readonly hasEscapes: boolean;
  /** Bytes of it are no ASCII: whether they are UTF-8 is not known. */
  readonly isWide: boolean;
}

const head = utf8('{"event":"cmd_output","timestamp":');
const middle = utf8(',"output":"');
const tail = utf8('"}\n');

/** Digits of a timestamp that surely is a whole number still. */
const digitsMax = 15;

const [quote, backslash, zero, nine] = [0x22, 0x5c, 0x30, 0x39];

/** What a byte is in a JSON string: part of it, part of it and no ASCII, the start of an escape, or its end. */
const [plain, wide, escaping, ending] = [0, 1, 2, 3];
const kindOf = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte < 0x20 || byte === quote) return ending;
  if (byte === backslash) return escaping;
  return byte < 0x80 ? plain : wide;
});

/** Finds them in these bytes, whose last is a line end. */
export class OutputFinder {
  readonly #bytes: Uint8Array;
  readonly #words: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The line that begins at `start`. Null where it says this in any other way, or something else. */
  at(start: number): OutputPlace | null {
    const digits = start + head.length;
    if (!this.#standsAt(start, head)) return null;
    const afterDigits = this.#endOfDigits(digits);
    const isNumber = afterDigits > digits && (this.#bytes[digits] !== zero || afterDigits === digits + 1);
    if (!isNumber || !this.#standsAt(afterDigits, middle)) return null;
    return this.#string(afterDigits + middle.length, this.#numberIn(digits, afterDigits));
  }

  /** One JSON string that ends the line, or null. Half a surrogate pair is none: it is no text, and would join with another. */
  #string(start: number, timestamp: number): OutputPlace | null {
    let [hasEscapes, isWide] = [false, false];
    for (let at = start; at < this.#bytes.length; ) {
      at = skipPlain(this.#words, at);
      const kind = kindOf[this.#bytes[at] ?? 0];
      if (kind === ending) {
        const isWhole = this.#standsAt(at, tail);
        return isWhole ? { timestamp, start, end: at, lineEnd: at + tail.length, hasEscapes, isWide } : null;
      }
      if (kind === escaping) {
        const length = escapeLength(this.#bytes, at);
        if (length === 0) return null;
        hasEscapes = true;
        at += length;
      } else if (kind === wide) {
        isWide = true;
        at = skipWide(this.#bytes, at);
      } else {
        at++;
      }
    }
    return null;
  }

  #standsAt(start: number, wanted: Uint8Array): boolean {
    for (let at = 0; at < wanted.length; at++) if (this.#bytes[start + at] !== wanted[at]) return false;
    return true;
  }

  #endOfDigits(start: number): number {
    let at = start;
    while (at - start < digitsMax && isDigit(this.#bytes[at])) at++;
    return at;
  }

  #numberIn(start: number, end: number): number {
    let number = 0;
    for (let at = start; at < end; at++) number = number * 10 + (this.#bytes[at] ?? zero) - zero;
    return number;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= nine;
}

/** A word of four such bytes. */
function fourOf(byte: number): number {
  return Math.imul(byte, 0x01010101);
}

const ones = fourOf(1);
const spaces = fourOf(0x20);
const quotes = fourOf(quote);
const backslashes = fourOf(backslash);
const highBits = fourOf(0x80);

/**
 * The first byte from `start` on that may be anything but plain, found four at a time, in a third of the time that
 * a byte each takes. Taking 0x20 from a byte below it, 1 from one that is none of what is looked for, or nothing from
 * one that is no ASCII, leaves its high bit set; what a byte borrows from the next can only stop this too early.
 */
function skipPlain(words: DataView, start: number): number {
  let at = start;
  for (; at + 4 <= words.byteLength; at += 4) {
    const word = words.getInt32(at);
    const marks = word | (word - spaces) | ((word ^ quotes) - ones) | ((word ^ backslashes) - ones);
    if ((marks & highBits) !== 0) break;
  }
  return at;
}

/** The first byte from `start` on that is ASCII. Looking for four plain ones at each byte would take such a text eight times as long. */
function skipWide(bytes: Uint8Array, start: number): number {
  let at = start;
  while ((bytes[at] ?? 0) >= 0x80) at++;
  return at;
}
