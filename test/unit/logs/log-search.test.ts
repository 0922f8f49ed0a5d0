import { describe, expect, it } from "vitest";
import type { LogMatch } from "../../../src/protocol/log-reading.ts";
import {
  decodePlace,
  encodePlace,
  type SearchPlace,
  searchPage,
  searchStart,
  type Wanted,
} from "../../../src/worker/logs/log-search.ts";
import { seeded } from "./seeded.ts";

type Found = Omit<LogMatch, "excerpt">;

/** By the whole text at once. */
function naive(texts: readonly string[], { text: needle, ignoreCase, from }: Wanted): Found[] {
  const starts = texts.map((_, at) => texts.slice(0, at).join("").length);
  const whole = texts.join("");
  const haystack = ignoreCase ? whole.toLowerCase() : whole;
  const found: Found[] = [];
  const wanted = ignoreCase ? needle.toLowerCase() : needle;
  for (let at = haystack.indexOf(wanted); at >= 0; at = haystack.indexOf(wanted, at + wanted.length)) {
    const position = texts.findIndex(
      (text, event) => (starts[event] ?? 0) <= at && at < (starts[event] ?? 0) + text.length,
    );
    const before = whole.slice(0, at).split("\n");
    if (position >= from) found.push({ line: before.length, column: (before.at(-1) ?? "").length + 1, position });
  }
  return found;
}

/** As the routes do it: pages of `pageEvents`, `matchesMax` a call, and a cursor through text between calls. */
function search(texts: readonly string[], wanted: Wanted, pageEvents: () => number, matchesMax: number) {
  const matches: LogMatch[] = [];
  let place: SearchPlace = searchStart;
  for (let calls = 0; ; calls++) {
    if (calls > 10_000) throw new Error("the search does not come to an end");
    const next = Math.min(texts.length, place.position + pageEvents());
    const page = { texts: texts.slice(place.position, next), next };
    const searched = searchPage(wanted, place, page, matchesMax);
    expect(searched.matches.length).toBeLessThanOrEqual(matchesMax);
    matches.push(...searched.matches);
    const decoded = decodePlace(encodePlace(searched.place), wanted);
    if (decoded === null) throw new Error("a cursor of ours is refused");
    place = decoded;
    if (!searched.isCut && next === texts.length) return matches;
  }
}

describe("a search", () => {
  it("finds what a search of the whole text finds, however events, pages and calls cut it (3,000 seeded texts)", () => {
    const below = seeded(7);
    const word = (most: number, alphabet: string) =>
      Array.from({ length: below(most) }, () => alphabet[below(alphabet.length)]).join("");
    let found = 0;
    for (let trial = 0; trial < 3000; trial++) {
      const texts = Array.from({ length: 1 + below(12) }, () => word(7, "aabA\n"));
      const wanted = { text: `a${word(4, "aab")}`, ignoreCase: below(2) === 0, from: below(3) === 0 ? below(6) : 0 };
      const matches = search(texts, wanted, () => 1 + below(4), 1 + below(3));
      const expected = naive(texts, wanted);
      expect(
        matches.map(({ excerpt: _, ...match }) => match),
        JSON.stringify([texts, wanted]),
      ).toEqual(expected);
      found += expected.length;
    }
    expect(found).toBeGreaterThan(3000);
  });

  const all = (texts: readonly string[], text: string, ignoreCase = false) =>
    search(texts, { text, ignoreCase, from: 0 }, () => 100, 100);

  it("shows a match with some of its line around it, and no half characters", () => {
    const long = "😀".repeat(100);
    const [match] = all([`first\n${long}needle${long}\nlast`], "needle");
    expect(match?.excerpt).toBe(`${"😀".repeat(40)}needle${"😀".repeat(40)}`);
    const [odd] = all([`x${long}needle${long}`], "needle");
    expect(odd?.excerpt.isWellFormed()).toBe(true);
    expect(all(["one needle two\n", "three"], "needle")[0]?.excerpt).toBe("one needle two");
  });

  it("ignores case without losing count of the units", () => {
    const texts = ["İİ ΟΔΟΣ\n", "ΟΔΟΣ. Grün"];
    expect(all(texts, "οδος", true)).toMatchObject([
      { line: 1, column: 4 },
      { line: 2, column: 1 },
    ]);
    expect(all(texts, "GRÜN", true)).toMatchObject([{ line: 2, column: 7, position: 1 }]);
    expect(all(texts, "grün")).toEqual([]);
  });

  it("refuses a cursor that is none, or is of a longer text", () => {
    const wanted = { text: "abc", ignoreCase: false, from: 0 };
    const place: SearchPlace = { ...searchStart, held: [[0, "ab"]] };
    expect(decodePlace(encodePlace(place), wanted)).toEqual(place);
    for (const text of ["ab", "xbc", "ABC"]) expect(decodePlace(encodePlace(place), { ...wanted, text })).toBeNull();
    expect(decodePlace(encodePlace(place), { ...wanted, text: "ABC", ignoreCase: true })).toEqual(place);
    for (const cursor of [
      "",
      "x",
      "!",
      encodePlace({ ...place, skip: -1 }),
      encodePlace({ ...place, more: 1 } as never),
    ]) {
      expect(decodePlace(cursor, wanted)).toBeNull();
    }
  });
});
