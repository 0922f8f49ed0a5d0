import { describe, expect, it } from "vitest";
import { utf8Length } from "../../../src/worker/lib/bytes.ts";
import { createAnsiStripper } from "../../../src/worker/logs/strip-ansi.ts";
import { firstMark, TextMarker } from "../../../src/worker/logs/text-marks.ts";
import { seeded } from "./seeded.ts";

const stripped = (text: string) => createAnsiStripper()(text);

const lengthOf = (text: string) => ({
  lines: text.split("\n").length - 1,
  bytes: utf8Length(text),
  stripped: utf8Length(stripped(text)),
});

describe("a mark in a log's text", () => {
  it("lies where reading on is the same as having read from the beginning, wherever pages and walks are cut", () => {
    const below = seeded(31);
    const pieces = [
      "\u001b[31m",
      "\u001b[",
      "1m",
      "\u001b]0;title",
      "\u0007",
      "\n",
      "\r\n",
      "漢🦀 é",
      "word ".repeat(40_000),
    ];
    const event = () => Array.from({ length: below(6) }, () => pieces[below(pieces.length)]).join("");
    for (let trial = 0; trial < 8; trial++) {
      const texts = Array.from({ length: 90 }, event);
      const whole = texts.join("");
      let marker = new TextMarker(firstMark);
      const marks = [];
      for (let at = 0; at < texts.length; ) {
        const page = texts.slice(at, at + 1 + below(20));
        marker.take(at, page);
        at += page.length;
        const mark = marker.marks.at(-1);
        if (mark === undefined || below(3) > 0) continue;
        // Another walk, from the last place that is known.
        marks.push(...marker.marks);
        marker = new TextMarker(mark);
        at = mark.position;
      }
      expect(marker.length).toEqual(lengthOf(whole));
      for (const { position, ...length } of [...marks, ...marker.marks]) {
        const [before, behind] = [texts.slice(0, position).join(""), texts.slice(position).join("")];
        expect(length).toEqual(lengthOf(before));
        expect(before.endsWith("\n")).toBe(true);
        expect(stripped(before) + stripped(behind)).toBe(stripped(whole));
      }
      expect(marks.length + marker.marks.length).toBeGreaterThan(3);
    }
  });
});
