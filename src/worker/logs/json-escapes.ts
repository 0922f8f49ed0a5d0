/** The escapes of a JSON string (RFC 8259 section 7), in bytes. Pure. */

const [backslash, zero, nine, u] = [0x5c, 0x30, 0x39, 0x75];

/** What each short escape stands for, by its letter; 0 for a letter that begins none. */
const shortEscapes = new Uint8Array(256);
for (const [letter, text] of Object.entries({
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
})) {
  shortEscapes[letter.charCodeAt(0)] = text.charCodeAt(0);
}

/** Bytes of the escape that begins at this backslash, a surrogate pair being one; 0 where it is none, or half a pair. */
export function escapeLength(bytes: Uint8Array, at: number): number {
  const letter = bytes[at + 1] ?? 0;
  if (letter !== u) return shortEscapes[letter] === 0 ? 0 : 2;
  const unit = unitAt(bytes, at);
  if (unit < 0 || isLow(unit)) return 0;
  if (!isHigh(unit)) return 6;
  return isLow(unitAt(bytes, at + 6)) ? 12 : 0;
}

/**
 * Writes what these bytes of a string say, whose escapes are known to be good, at the start of `into`, which has room for
 * as many bytes. Answers how many it took.
 */
export function unescapeInto(
  bytes: Uint8Array,
  { start, end }: { start: number; end: number },
  into: Uint8Array,
): number {
  let size = 0;
  for (let at = start; at < end; ) {
    const byte = bytes[at] ?? 0;
    const letter = bytes[at + 1] ?? 0;
    if (byte !== backslash) {
      into[size++] = byte;
      at++;
    } else if (letter !== u) {
      into[size++] = shortEscapes[letter] ?? 0;
      at += 2;
    } else {
      const length = escapeLength(bytes, at);
      size = writeUtf8(into, size, codePointAt(bytes, at, length));
      at += length;
    }
  }
  return size;
}

function codePointAt(bytes: Uint8Array, at: number, length: number): number {
  const unit = unitAt(bytes, at);
  return length === 6 ? unit : 0x10000 + ((unit - 0xd800) << 10) + (unitAt(bytes, at + 6) - 0xdc00);
}

/** The UTF-16 code unit that `\uXXXX` tells, or -1 where none stands here. */
function unitAt(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== backslash || bytes[at + 1] !== u) return -1;
  let unit = 0;
  for (let digit = at + 2; digit < at + 6; digit++) {
    const value = hexValue(bytes[digit] ?? 0);
    if (value < 0) return -1;
    unit = unit * 16 + value;
  }
  return unit;
}

function hexValue(byte: number): number {
  if (byte >= zero && byte <= nine) return byte - zero;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

/** RFC 3629 section 3. Answers where the next character goes. */
function writeUtf8(into: Uint8Array, at: number, code: number): number {
  const size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  if (size === 1) {
    into[at] = code;
    return at + 1;
  }
  into[at] = ((0xf00 >> size) & 0xff) | (code >> (6 * (size - 1)));
  for (let left = size - 2; left >= 0; left--) into[at + size - 1 - left] = 0x80 | ((code >> (6 * left)) & 0x3f);
  return at + size;
}
