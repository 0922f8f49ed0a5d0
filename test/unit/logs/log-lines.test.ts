import { describe, expect, it } from "vitest";
import { limits } from "../../../src/protocol/limits.ts";
import { LineFinder } from "../../../src/worker/logs/log-lines.ts";
import { seeded } from "./seeded.ts";

describe("a line", () => {
  const find = (texts: readonly string[], wanted: number, isFinal = true) => {
    const finder = new LineFinder(wanted);
    for (const [position, text] of texts.entries()) {
      const found = finder.take(position, text);
      if (found !== null) return found;
    }
    return finder.rest(isFinal);
  };

  it("is found by its number, wherever events cut the text (1,000 seeded texts)", () => {
    const below = seeded(8);
    for (let trial = 0; trial < 1000; trial++) {
      const texts = Array.from({ length: 1 + below(8) }, () =>
        Array.from({ length: below(6) }, () => "ab\n"[below(3)]).join(""),
      );
      const lines = texts.join("").split("\n");
      if (lines.at(-1) === "") lines.pop();
      for (const [at, text] of lines.entries()) {
        const before = lines.slice(0, at).reduce((sum, line) => sum + line.length + 1, 0);
        let [position, end] = [0, texts[0]?.length ?? 0];
        while (end <= before) end += texts[++position]?.length ?? 0;
        expect(find(texts, at + 1), JSON.stringify(texts)).toEqual({ line: at + 1, position, text, complete: true });
      }
      expect(find(texts, lines.length + 1)).toBeNull();
    }
  });

  it("that has not ended yet says so, and one that is too long is cut", () => {
    expect(find(["a\nb"], 2, false)).toEqual({ line: 2, position: 0, text: "b", complete: false });
    const long = find(["x".repeat(limits.logLineChars - 1), "😀", "y\n"], 1);
    expect(long).toEqual({ line: 1, position: 0, text: "x".repeat(limits.logLineChars - 1), complete: false });
    expect(find(["x".repeat(limits.logLineChars), "\n"], 1)?.complete).toBe(true);
  });
});
