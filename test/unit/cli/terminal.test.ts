import { describe, expect, test } from "vitest";
import { createOutputFilter, printable, printableJson } from "../../../src/cli/terminal.ts";

function filtered(...pieces: string[]): string {
  const filter = createOutputFilter({ colour: true });
  return pieces.map((piece) => filter.push(piece)).join("") + filter.end();
}

describe("a job's output on a terminal", () => {
  test("keeps its text, tabs, newlines and colours", () => {
    const text = "plain\tÄ😀\n\u001b[1;31mred\u001b[0m \u001b[38;5;196mmore\u001b[m\n";
    expect(filtered(text)).toBe(text);
  });

  for (const [what, text, shown] of [
    ["clears no screen", "\u001b[2J", "␛[2J"],
    ["moves no cursor", "\u001b[10A", "␛[10A"],
    ["sets no title", "\u001b]0;evil\u0007", "␛]0;evil␇"],
    ["writes no clipboard (OSC 52)", "\u001b]52;c;ZXZpbA==\u001b\\", "␛]52;c;ZXZpbA==␛\\"],
    ["makes no hyperlink", "\u001b]8;;http://x\u001b\\", "␛]8;;http://x␛\\"],
    ["asks the terminal nothing", "\u001b[6n", "␛[6n"],
    ["uses no 8-bit controls", "\u009b2J", "<U+009B>2J"],
    ["rubs nothing out", "abc\b\b\bxyz", "abc␈␈␈xyz"],
    ["reorders no text", "a\u202eb", "a<U+202E>b"],
    ["hides no direction mark", "a\u200eb\u200fc\u061cd", "a<U+200E>b<U+200F>c<U+061C>d"],
    ["hides no text (SGR 8)", "\u001b[8mrm -rf\u001b[0m", "␛[8mrm -rf\u001b[0m"],
    ["hides no text among other styles", "\u001b[1;31;08m", "␛[1;31;08m"],
    [
      "hides no text behind half a colour",
      "\u001b[38;5;1;8m\u001b[38:5;8m\u001b[38;2;8m",
      "␛[38;5;1;8m␛[38:5;8m␛[38;2;8m",
    ],
    ["takes back no line", "secret\rhidden", "secret\nhidden"],
    ["ends lines as Windows does, too", "a\r\nb", "a\nb"],
  ]) {
    test(what ?? "", () => expect(filtered(text ?? "")).toBe(shown));
  }

  test("keeps colours whose number is 8", () => {
    const text = "\u001b[38;5;8mgrey\u001b[48;2;8;8;8m\u001b[38:5:8m\u001b[28;0m";
    expect(filtered(text)).toBe(text);
  });

  test("is filtered the same wherever it is cut", () => {
    const text = "a\u001b[31mred\u001b[0m\r\nb\rc\u001b[2Jd\u001b]0;t\u0007\r";
    for (let cut = 0; cut <= text.length; cut++) {
      expect(filtered(text.slice(0, cut), text.slice(cut))).toBe(filtered(text));
    }
    expect(filtered(...text)).toBe(filtered(text));
  });

  test("loses its colours where none are wanted", () => {
    const filter = createOutputFilter({ colour: false });
    expect(filter.push("\u001b[31mred\u001b[0m") + filter.end()).toBe("red");
  });

  test("may hold a sequence too long to be a colour, which is then shown", () => {
    const long = `\u001b[${"1;".repeat(100)}m`;
    expect(filtered(...long)).toBe(`␛${long.slice(1)}`);
  });
});

test("a name stays on its line and colours nothing", () => {
  expect(printable("a\nb\u001b[31mc\td")).toBe("a\\nb␛[31mc d");
});

test("JSON holds no byte that a terminal obeys, and still says the same", () => {
  const value = { a: "\u009b2J\u202e\u200e\u200f\u061c\u001b[2J\u007f" };
  const text = printableJson(value);
  expect(text).toMatch(/^[\x20-\x7e]*$/);
  expect(JSON.parse(text)).toEqual(value);
});
