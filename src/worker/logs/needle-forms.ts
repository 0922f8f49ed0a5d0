/**
 * The exact forms in which a secret value is looked for (DESIGN section 10). Pure.
 * We claim these forms and no more: a job can always transform a secret past any mask.
 *
 * Which forms there are and in what order is part of a stored format: a room remembers a needle by its number. A
 * change needs another version of `Masks` (needles.ts), made while rooms of the old one still open.
 */
import { concat, toBase64, toHex, utf8, utf8Length } from "../lib/bytes.ts";

/** Shorter values, once trimmed, would mask half the log; nor is a shorter form of a longer one looked for. */
export const valueBytesMin = 4;
/** A line of a multi-line value is looked for alone from this length on. */
const lineBytesMin = 8;

/** 1 lacks what `formForms` and `pathForms` tell; rooms that were armed before hold it until their jobs end. */
export const formsVersions = [1, 2] as const;
export type FormsVersion = (typeof formsVersions)[number];

/** Every form of `value`, or none where it is too short. */
export function formsOf(value: string, version: FormsVersion): Set<string> {
  const whole = trimmed(value);
  if (utf8Length(whole) < valueBytesMin) return new Set();
  // Agents and files differ in line ends; what is encoded is what was stored, or its LF form.
  const encoded = [...new Set([whole, withLineFeeds(whole)])];
  const forms = [
    ...encoded,
    withLineFeeds(whole).replaceAll("\n", "\r\n"),
    ...linesOf(whole),
    ...encoded.flatMap((text) => [
      ...base64Forms(utf8(text)),
      ...wrappedBase64Forms(text),
      ...hexForms(utf8(text)),
      ...percentForms(text),
      ...jsonForms(text),
      ...shellForms(text),
      ...(version === 1 ? [] : [...formForms(text), ...pathForms(text)]),
    ]),
  ];
  return new Set(forms.filter((form) => utf8Length(form) >= valueBytesMin));
}

export function trimmed(value: string): string {
  return value.toWellFormed().trim();
}

function withLineFeeds(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

/** PEM armour is public and the same for every key. */
function linesOf(text: string): string[] {
  const lines = text.split(/[\r\n]+/).map((line) => line.trim());
  if (lines.length < 2) return [];
  return lines.filter((line) => utf8Length(line) >= lineBytesMin && !/^-----(?:BEGIN|END) [^-]*-----$/.test(line));
}

/** At three shifts, for a value inside a longer encoded text; characters that neighbours touch are cut. */
function base64Forms(bytes: Uint8Array): string[] {
  return [0, 1, 2].flatMap((shift) => {
    const text = toBase64(concat(new Uint8Array(shift), bytes));
    const form = text.slice(shift === 0 ? 0 : shift + 1, wholeCharacters(shift + bytes.length));
    return [form, form.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

/**
 * What `base64` (76 columns) and `openssl base64` (64) print for the value from its first byte: line by line, as
 * the whole would cost as much memory again. A short last line goes with the one before it.
 */
function wrappedBase64Forms(text: string): string[] {
  const bytes = utf8(text);
  const form = toBase64(bytes).slice(0, wholeCharacters(bytes.length));
  return [76, 64].flatMap((columns) => {
    const lines = form.match(new RegExp(`.{1,${columns}}`, "g")) ?? [];
    if (lines.length < 2) return [];
    const lastTwo = lines.slice(-2);
    return [...lines.filter((line) => line.length >= lineBytesMin), lastTwo.join("\n"), lastTwo.join("\r\n")];
  });
}

/** Base64 characters that `bytes` bytes fill whole. */
function wholeCharacters(bytes: number): number {
  return Math.floor((bytes * 8) / 6);
}

function hexForms(bytes: Uint8Array): string[] {
  const hex = toHex(bytes);
  return [hex, hex.toUpperCase()];
}

function percentForms(text: string): string[] {
  return [encodeURIComponent(text), strictPercent(text)].flatMap((form) => {
    const lower = lowerTriplets(form);
    return [form, lower, form.replaceAll("%20", "+"), lower.replaceAll("%20", "+")];
  });
}

/** As a form's field (WHATWG URL, `application/x-www-form-urlencoded`): other than all else it keeps `*` and not `~`. */
function formForms(text: string): string[] {
  const form = strictPercent(text).replaceAll("%2A", "*").replaceAll("~", "%7E").replaceAll("%20", "+");
  return [form, lowerTriplets(form)];
}

/** Within a URL's path: slashes stay, as Python's `quote` has it where nothing else is said. */
function pathForms(text: string): string[] {
  return [strictPercent(text).replaceAll("%2F", "/")];
}

/** Without the marks that `encodeURIComponent` spares, but `-`, `.`, `_` and `~` (RFC 3986 section 2.3). */
function strictPercent(text: string): string {
  const hex = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, hex);
}

function lowerTriplets(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (triplet) => triplet.toLowerCase());
}

/** As JSON writers print it: plain, with Go's escapes for HTML, with `\/`, in ASCII alone. */
function jsonForms(text: string): string[] {
  const plain = JSON.stringify(text).slice(1, -1);
  const goes = plain.replace(/[<>&\u2028\u2029]/g, unicodeEscape);
  const ascii = plain.replace(/[\u007f-\uffff]/g, unicodeEscape);
  return [plain, goes, plain.replaceAll("/", "\\/"), ascii];
}

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** As shells print it, without the quotes around: `set -x`, `printf %q`, `declare -p`, `$'…'`. */
function shellForms(text: string): string[] {
  const controls: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\E" };
  return [
    text.replaceAll("'", "'\\''"),
    text.replaceAll("'", `'"'"'`),
    text.replace(/[\\$`"]/g, "\\$&"),
    text.replace(/[ \t'"\\|&;()<>!{}*[\]?^$`,]/g, "\\$&"),
    Array.from(text.replace(/[\\']/g, "\\$&"), (char) => controls[char] ?? char).join(""),
    ansiC(text),
  ];
}

/** bash's `$'…'` where the locale is C, or a byte has no other spelling: octal for all that is not printable ASCII. */
function ansiC(text: string): string {
  const named: Record<number, string> = { 7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 27: "E" };
  const spelt = (byte: number) => {
    if (named[byte] !== undefined) return `\\${named[byte]}`;
    if (byte < 0x20 || byte > 0x7e) return `\\${byte.toString(8).padStart(3, "0")}`;
    const char = String.fromCharCode(byte);
    return char === "\\" || char === "'" ? `\\${char}` : char;
  };
  return Array.from(utf8(text), spelt).join("");
}
