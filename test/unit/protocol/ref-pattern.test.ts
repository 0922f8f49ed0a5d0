import { describe, expect, test } from "vitest";
import { matchesRef, matchingPattern, RefPattern, RefPatterns } from "../../../src/protocol/ref-pattern.ts";
import { seeded, textOf } from "../logs/seeded.ts";

/** What the words say, as plainly as it can be written: try every length that a star could take. */
function naive(pattern: string, ref: string): boolean {
  if (pattern === "") return ref === "";
  if (pattern.startsWith("**")) {
    for (let taken = 0; taken <= ref.length; taken++) if (naive(pattern.slice(2), ref.slice(taken))) return true;
    return false;
  }
  if (pattern.startsWith("*")) {
    for (let taken = 0; taken <= ref.length; taken++) {
      if (ref.slice(0, taken).includes("/")) return false;
      if (naive(pattern.slice(1), ref.slice(taken))) return true;
    }
    return false;
  }
  return ref !== "" && ref[0] === pattern[0] && naive(pattern.slice(1), ref.slice(1));
}

describe("a pattern", () => {
  test.each<[string, string, boolean]>([
    ["refs/heads/main", "refs/heads/main", true],
    ["refs/heads/main", "refs/heads/main2", false],
    ["refs/heads/main", "xrefs/heads/main", false],
    ["refs/heads/main", "refs/heads/Main", false],
    ["refs/heads/*", "refs/heads/main", true],
    ["refs/heads/*", "refs/heads/a/b", false],
    ["refs/heads/*", "refs/heads/", true],
    ["refs/heads/**", "refs/heads/a/b", true],
    ["refs/heads/**", "refs/tags/a", false],
    ["refs/**", "refs/heads/a/b", true],
    ["refs/*/main", "refs/heads/main", true],
    ["refs/*/main", "refs/a/b/main", false],
    ["refs/**/main", "refs/a/b/main", true],
    ["refs/heads/release-*", "refs/heads/release-1.2", true],
    ["refs/heads/release-*", "refs/heads/release-", true],
    ["refs/heads/release-*", "refs/heads/release-1/x", false],
    ["refs/heads/*-x-*", "refs/heads/a-x-b", true],
    ["refs/heads/*-x-*", "refs/heads/a-x-b/c", false],
    ["refs/heads/*/*", "refs/heads/a/b", true],
    ["refs/heads/*/*", "refs/heads/a", false],
    ["refs/heads/a.b", "refs/heads/axb", false],
    ["refs/heads/(a|b)+", "refs/heads/a", false],
    ["refs/heads/(a|b)+", "refs/heads/(a|b)+", true],
    ["refs/heads/*", "refs/heads/\u{1f682}", true],
    ["refs/heads/main", "refs/heads/main\n", false],
  ])("%s against %s: %s", (pattern, ref, expected) => {
    expect(matchesRef(pattern, ref)).toBe(expected);
    expect(naive(pattern, ref)).toBe(expected);
  });

  test("is what the naive reading says, for 20,000 generated pairs", () => {
    const random = seeded(4);
    let matched = 0;
    for (let round = 0; round < 20_000; round++) {
      const pattern = textOf(random, "aab//*", random(9)).replace(/\*{3,}/g, "**");
      const ref = textOf(random, "aab/", random(10));
      const expected = naive(pattern, ref);
      if (matchesRef(pattern, ref) !== expected) expect.fail(`${pattern} against ${ref}: expected ${expected}`);
      if (expected) matched++;
    }
    expect(matched).toBeGreaterThan(200);
  });

  test("always matches itself read as a ref, and a ref that was made of it", () => {
    const random = seeded(5);
    for (let round = 0; round < 500; round++) {
      const pattern = `refs/${textOf(random, "ab/*", 1 + random(12))}`.replace(/\*{3,}/g, "**");
      const ref = pattern.replace(/\*\*|\*/g, (star) => textOf(random, star === "**" ? "ab/" : "ab", random(4)));
      expect(matchesRef(pattern, ref), `${pattern} ${ref}`).toBe(true);
    }
  });
});

test("of several patterns the first that matches is told, or null", () => {
  const patterns = ["refs/tags/*", "refs/heads/*", "refs/**"];
  expect(matchingPattern(patterns, "refs/heads/x")).toBe("refs/heads/*");
  expect(matchingPattern(patterns, "refs/notes/x")).toBe("refs/**");
  expect(matchingPattern(patterns.slice(0, 2), "refs/notes/x")).toBeNull();
  expect(matchingPattern([], "refs/heads/x")).toBeNull();
});

describe("a pattern that would make a regular expression explode finishes fast", () => {
  const long = `refs/heads/${"a".repeat(1000)}`;
  test.each([
    ["many stars", `refs/heads/${"*a".repeat(500)}b`],
    ["many double stars", `refs/${"**a".repeat(330)}b`],
    ["stars of both kinds", `refs/${"*a**a".repeat(200)}b`],
    ["stars between slashes", `refs/${"**/".repeat(300)}x`],
    ["no star and much repetition", `refs/heads/${"a".repeat(900)}b`],
  ])("%s", (_, pattern) => {
    const start = performance.now();
    expect(matchesRef(pattern, long)).toBe(false);
    expect(performance.now() - start).toBeLessThan(500);
  });
});

test("the worst list that is taken finishes fast", () => {
  const pattern = `refs/${"*a".repeat(16)}${"a".repeat(800)}b`;
  expect(RefPatterns.safeParse(new Array(64).fill(pattern)).success).toBe(true);
  const start = performance.now();
  expect(matchingPattern(new Array(64).fill(pattern), `refs/heads/${"a".repeat(1000)}`)).toBeNull();
  expect(performance.now() - start).toBeLessThan(500);
});

describe("the patterns that are taken", () => {
  test.each([
    "refs/heads/main",
    "refs/heads/*",
    "refs/**",
    "refs/heads/a+b(c)|d{e}$",
    "refs/heads/ä",
    "refs/pull/*/head",
  ])("%s", (pattern) => {
    expect(RefPattern.safeParse(pattern).success).toBe(true);
  });

  test.each([
    "",
    "main",
    "*",
    "**",
    "heads/*",
    "refs",
    "refs/heads/***",
    "refs/heads/a?",
    "refs/heads/[ab]",
    "refs/a b",
    "refs/a\n",
    "refs/a\\*",
    "refs/a~",
    "refs/a:b",
    "refs/a^",
    `refs/${"a".repeat(1024)}`,
  ])("not %j", (pattern) => {
    expect(RefPattern.safeParse(pattern).success).toBe(false);
  });

  test("hold at most 16 stars", () => {
    expect(RefPattern.safeParse(`refs/${"*/".repeat(16)}x`).success).toBe(true);
    expect(RefPattern.safeParse(`refs/${"*/".repeat(17)}x`).success).toBe(false);
  });

  test("at most 64 in a list", () => {
    expect(RefPatterns.safeParse(new Array(64).fill("refs/**")).success).toBe(true);
    expect(RefPatterns.safeParse(new Array(65).fill("refs/**")).success).toBe(false);
  });
});
