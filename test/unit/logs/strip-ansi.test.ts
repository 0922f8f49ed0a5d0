import { describe, expect, it } from "vitest";
import { createAnsiStripper } from "../../../src/worker/logs/strip-ansi.ts";

describe("stripping terminal sequences", () => {
  it.each([
    ["\u001b[1;31mred\u001b[0m", "red"],
    ["\u009b31mred\u009bm", "red"],
    ["a\u001b]0;title\u0007b", "ab"],
    ["a\u001b]8;;https://x\u001b\\link\u001b]8;;\u001b\\b", "alinkb"],
    ["a\u001bPq#0\u001b\\b\u001b(Bc\u001b7d", "abcd"],
    ["a\u001b]never ended\nnext", "a\nnext"],
    ["a\u001b[31\u0018b", "ab"],
    ["tab\tröd 🦀\r\n", "tab\tröd 🦀\r\n"],
  ])("%j leaves %j, wherever it is cut", (text, expected) => {
    for (let cut = 0; cut <= text.length; cut++) {
      const strip = createAnsiStripper();
      expect(strip(text.slice(0, cut)) + strip(text.slice(cut))).toBe(expected);
    }
  });
});
