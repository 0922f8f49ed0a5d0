import { describe, expect, it } from "vitest";
import { compileMatcher, maskText } from "../../../src/worker/logs/mask.ts";
import { naiveMask } from "./naive-mask.ts";
import { seeded, textOf } from "./seeded.ts";

describe("masking a text", () => {
  it("agrees with a naive search over generated texts and overlapping needles", () => {
    const random = seeded(1);
    for (let round = 0; round < 4000; round++) {
      const alphabet = ["ab", "aabc", "abé漢😀"][random(3)] ?? "ab";
      const needles = Array.from({ length: 1 + random(6) }, () => textOf(random, alphabet, 1 + random(6)));
      const text = textOf(random, alphabet, random(40));
      expect(maskText(text, compileMatcher(needles)), JSON.stringify({ needles, text })).toBe(naiveMask(text, needles));
    }
  });

  it("agrees with a naive search where most states have no full row", () => {
    const random = seeded(2);
    const alphabet = Array.from({ length: 200 }, (_, index) => String.fromCodePoint(0x100 + index)).join("");
    const needles = Array.from({ length: 300 }, () =>
      textOf(random, alphabet.slice(0, 6 + random(190)), 20 + random(60)),
    );
    const matcher = compileMatcher(needles);
    for (let round = 0; round < 300; round++) {
      const pieces = Array.from({ length: 8 }, () => {
        const needle = needles[random(needles.length)] ?? "";
        return random(3) === 0
          ? textOf(random, alphabet, random(9))
          : needle.slice(random(3), needle.length - random(2));
      });
      const text = pieces.join("");
      expect(maskText(text, matcher)).toBe(naiveMask(text, needles));
    }
  });

  it("writes overlapping matches as one mark and touching ones as two", () => {
    expect(maskText("xabcabcax", compileMatcher(["abca"]))).toBe("x***x");
    expect(maskText("xabcdabcdx", compileMatcher(["abcd"]))).toBe("x******x");
    expect(maskText("xabcdefx", compileMatcher(["abcd", "cd", "bcdef"]))).toBe("x***x");
  });

  it("leaves a text without needles the very same string", () => {
    const odd = "\uFEFFno secret \ud800 here";
    expect(maskText(odd, compileMatcher(["hunter22"]))).toBe(odd);
    expect(maskText(odd, compileMatcher([]))).toBe(odd);
  });

  it("keeps each byte order mark before a masked value", () => {
    expect(maskText("\uFEFFhunter22", compileMatcher(["hunter22"]))).toBe("\uFEFF***");
    expect(maskText("\ufeff\ufeffhunter22", compileMatcher(["hunter22"]))).toBe("\ufeff\ufeff***");
  });

  it("stays linear on texts that repeat a needle's beginning", () => {
    const matcher = compileMatcher([`${"a".repeat(20_000)}b`]);
    const started = performance.now();
    maskText("a".repeat(1_000_000), matcher);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
