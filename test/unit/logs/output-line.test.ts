import { describe, expect, it } from "vitest";
import { concat, fromUtf8, fromUtf8Strict, isUtf8, utf8 } from "../../../src/worker/lib/bytes.ts";
import { unescapeInto } from "../../../src/worker/logs/json-escapes.ts";
import { OutputFinder } from "../../../src/worker/logs/output-line.ts";
import { seeded } from "./seeded.ts";

type Random = (below: number) => number;

/** What the line says, or null where it is left to a parser of whole events. Read from the midst of other bytes. */
function readLine(line: Uint8Array): { timestamp: number; output: string } | null {
  const around = utf8('"}\n{"');
  const bytes = concat(around, line, utf8("\n"), around);
  const place = new OutputFinder(bytes).at(around.length);
  if (place === null || place.lineEnd !== around.length + line.length + 1 || (place.isWide && !isUtf8(line)))
    return null;
  const into = new Uint8Array(place.end - place.start);
  const size = unescapeInto(bytes, place, into);
  if (!place.hasEscapes) expect(into).toEqual(bytes.slice(place.start, place.end));
  return { timestamp: place.timestamp, output: fromUtf8Strict(into.subarray(0, size)) };
}

/** The same by a parser: a line is exact where nothing but its escapes could be written in another way. */
function expectedOf(line: Uint8Array): { timestamp: number; output: string } | null {
  if (!isUtf8(line)) return null;
  const [, digits = "", json = ""] =
    /^\{"event":"cmd_output","timestamp":(0|[1-9]\d{0,14}),"output":(".*")\}$/s.exec(fromUtf8Strict(line)) ?? [];
  try {
    const output: unknown = JSON.parse(json);
    return typeof output === "string" && output.isWellFormed() ? { timestamp: Number(digits), output } : null;
  } catch {
    return null;
  }
}

function line(json: string, timestamp = "5"): string {
  return `{"event":"cmd_output","timestamp":${timestamp},"output":${json}}`;
}

const escapes = [
  "\\n",
  "\\t",
  '\\"',
  "\\\\",
  "\\/",
  "\\b",
  "\\f",
  "\\r",
  "\\u001b",
  "\\u00e9",
  "\\u6F22",
  "\\ud83d\\ude00",
];
const broken = [
  "\\",
  '"',
  "\\x",
  "\\u12",
  "\\u12g4",
  "\\ud83d",
  "\\ude00",
  "\\ud83d\\u0041",
  "\\\n",
  "\n",
  "\u0001",
  '","output":"x',
];
const ordinary = [
  "a",
  " ",
  "/",
  "é",
  "漢",
  "😀",
  "\u007f",
  "\u2028",
  "\ufeff",
  "}",
  "u0041",
  "{",
  "words ",
  "~".repeat(17),
];

function jsonFrom(random: Random): string {
  const pieces = Array.from({ length: random(9) }, () => {
    const from = random(12) === 0 ? broken : random(2) === 0 ? escapes : ordinary;
    return from[random(from.length)] ?? "";
  });
  return `"${pieces.join("")}"`;
}

/** One byte of it another, one more or one less. */
function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random(bytes.length);
  const byte = random(3) === 0 ? random(256) : (utf8('"\\u{}:,0n\n')[random(10)] ?? 0);
  const rest = bytes.subarray(at + (random(3) === 0 ? 0 : 1));
  return concat(bytes.subarray(0, at), random(3) === 0 ? new Uint8Array() : Uint8Array.of(byte), rest);
}

describe("a line of output", () => {
  it("says in bytes what a parser reads in it, or is left to one, over generated and mutated lines", () => {
    const random = seeded(71);
    let read = 0;
    for (let round = 0; round < 60_000; round++) {
      const bytes = utf8(line(jsonFrom(random), ["0", "1795169265", "999999999999999"][random(3)]));
      const sent = random(3) === 0 ? mutated(random, bytes) : bytes;
      const [found, expected] = [readLine(sent), expectedOf(sent)];
      if (found !== null) read++;
      if (JSON.stringify(found) !== JSON.stringify(expected)) expect(found, fromUtf8(sent)).toEqual(expected);
    }
    expect(read).toBeGreaterThan(20_000);
  });

  it("has each escape that JSON has, and every code point in one", () => {
    for (const [json, output] of [
      ["\\u0000\\u001b[0m\\u007F", "\0\x1b[0m\x7f"],
      ["\\u0080\\u07ff\\u0800\\uffff\\ud7ff\\ue000", "\u0080\u07ff\u0800\uffff\ud7ff\ue000"],
      ["\\ud800\\udc00\\udbff\\udfff", "\u{10000}\u{10ffff}"],
      ['\\"\\\\\\/\\b\\f\\n\\r\\t', '"\\/\b\f\n\r\t'],
    ]) {
      expect(readLine(utf8(line(`"${json}"`)))).toEqual({ timestamp: 5, output });
    }
  });

  it("is no line of output where anything is missing, doubled or told in another way", () => {
    for (const other of [
      "",
      "{}",
      line(""),
      line('"'),
      line("7"),
      line('"a"').slice(0, -1),
      `${line('"a"')} `,
      ` ${line('"a"')}`,
      line('"a\\"'),
      line('"a","output":"b"'),
      line('"a"', "05"),
      line('"a"', "-1"),
      line('"a"', "1.5"),
      line('"a"', ""),
      line('"a"', "1000000000000000"),
      line('"a"').replace("cmd_output", "cmd_started"),
    ]) {
      expect(readLine(utf8(other)), other).toBeNull();
    }
  });

  it("in bytes that are no UTF-8 is none: overlong, cut, or half a surrogate pair", () => {
    for (const bytes of [[0xff], [0xc0, 0x80], [0xe6, 0xbc], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]]) {
      expect(readLine(concat(utf8(line('"')).subarray(0, -1), Uint8Array.from(bytes), utf8('"}')))).toBeNull();
    }
  });
});
