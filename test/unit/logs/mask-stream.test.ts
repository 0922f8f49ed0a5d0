import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/worker/lib/bytes.ts";
import { compileMatcher, type Matcher } from "../../../src/worker/logs/mask.ts";
import { type Carry, givenUp, type Held, maskOutputs, resumed } from "../../../src/worker/logs/mask-stream.ts";
import { encodeMasks, needlesOf } from "../../../src/worker/logs/needles.ts";
import { NaiveStream, naiveMask } from "./naive-mask.ts";
import { seeded, textOf } from "./seeded.ts";

function masked(texts: readonly string[], context: { held: Held; matcher: Matcher; isOpen: boolean }) {
  const { changed, carry } = maskOutputs({ count: texts.length, bytes: (at) => utf8(texts[at] ?? "") }, context);
  return { outputs: texts.map((text, at) => changed.get(at) ?? text), carry };
}

/** A command's output pushed piece by piece, nothing kept between but the carry, as JSON. */
class Stream {
  shown = "";
  #carry: Carry | null = null;

  push(outputs: readonly string[], needles: readonly string[], { isOpen = true } = {}): this {
    const matcher = compileMatcher(needles);
    const held = resumed(this.#carry, matcher);
    const made = masked(outputs, { held, matcher, isOpen });
    expect(made.outputs.length).toBe(outputs.length);
    this.shown += made.outputs.join("");
    this.#carry = JSON.parse(JSON.stringify(made.carry));
    return this;
  }

  get carry(): Carry | null {
    return this.#carry;
  }

  release(needles: readonly string[]): string {
    return this.push([""], needles, { isOpen: false }).shown;
  }
}

const awkward = [
  ["aab"],
  ["aaaa"],
  ["aa", "aaaa"],
  ["ab", "ba"],
  ["aab", "aba", "baa"],
  ["abab", "bb"],
  ["abaab", "aa", "ab"],
  ["ababa", "bab", "abba"],
  ["aabaa", "baab", "b"],
  ["bbbab", "bba", "abbb"],
  ["abbabba", "bab", "bb"],
];

describe("masking over borders", () => {
  it("comes to what masking the whole does: every short text, cut everywhere, over awkward needles", () => {
    const length = 7;
    for (const needles of awkward) {
      const matcher = compileMatcher(needles);
      for (let bits = 0; bits < 2 ** length; bits++) {
        const text = Array.from({ length }, (_, at) => "ab"[(bits >> at) & 1]).join("");
        const expected = naiveMask(text, needles);
        for (let cuts = 0; cuts < 2 ** (length - 1); cuts++) {
          let shown = "";
          let carry: Carry | null = null;
          for (const piece of piecesOf(text, cuts)) {
            const made = masked([piece], { held: resumed(carry, matcher), matcher, isOpen: true });
            shown += made.outputs.join("");
            carry = made.carry;
          }
          const last = masked([""], { held: resumed(carry, matcher), matcher, isOpen: false });
          const whole = shown + last.outputs.join("");
          if (whole !== expected) expect(whole, JSON.stringify({ needles, text, cuts })).toBe(expected);
        }
      }
    }
  });

  it("shows after every push all that is decided and no more, while needles are added, over generated texts", () => {
    const random = seeded(11);
    for (let round = 0; round < 4000; round++) {
      const alphabet = ["ab", "aab\r\n", "abé漢😀", "abc"][random(4)] ?? "ab";
      const needles = needlesFrom(random, alphabet);
      const stream = new Stream();
      const naive = new NaiveStream();
      for (let push = random(9); push >= 0; push--) {
        if (random(4) === 0) needles.push(...needlesFrom(random, alphabet));
        const outputs = Array.from({ length: 1 + random(4) }, () => pieceFrom(random, alphabet, needles));
        stream.push(outputs, needles);
        naive.add(outputs.join(""), needles);
        expect(stream.shown, JSON.stringify({ round, needles, outputs })).toBe(naive.shown);
        const lead = givenUp(stream.carry).lead;
        expect(lead, JSON.stringify({ round, needles, outputs })).toBe(naive.isHiding ? "***" : "");
      }
      expect(stream.release(needles), JSON.stringify({ round, needles })).toBe(naive.released);
    }
  });

  it("finds a secret cut at any one place, in each of its forms, and leaves what stands around it", () => {
    const values = ["hunter2-hunter2", 'p@ss "wörd" <&$€ 10%/+', `line one is long\nline two 漢字 is too\n😀 three`];
    for (const value of values) {
      const { needles } = needlesOf(encodeMasks([{ name: "SECRET", value }]));
      for (const form of needles) {
        const text = `before ${form} after`;
        const expected = naiveMask(text, needles);
        expect(expected).not.toContain(form);
        const matcher = compileMatcher(needles);
        for (const at of placesIn(text)) {
          const first = masked([text.slice(0, at)], { held: resumed(null, matcher), matcher, isOpen: true });
          const held = resumed(first.carry, matcher);
          const second = masked([text.slice(at)], { held, matcher, isOpen: false });
          expect(first.outputs.join("") + second.outputs.join("")).toBe(expected);
        }
      }
    }
  });

  it("masks a long token over many events once, and leaves the events inside it empty", () => {
    const token = `eyJ${textOf(seeded(12), "abcdefghijklmnopqrstuvwxyzABC0123456789-_", 1700)}`;
    const outputs = `token: ${token} and on\n`.match(/.{1,100}/gs) ?? [];
    const matcher = compileMatcher([token]);
    const made = masked(outputs, { held: resumed(null, matcher), matcher, isOpen: true });
    expect(made).toEqual({
      outputs: ["token: ***", ...outputs.slice(2).map(() => ""), " and on\n"],
      carry: null,
    });
  });

  it("marks a run where it begins, once, however many pushes it goes on for", () => {
    const stream = new Stream();
    const shown = ["xa", "a", "a", "aa", "aaa", "a", "b"].map((piece) => {
      const before = stream.shown.length;
      return stream.push([piece], ["aaaa"]).shown.slice(before);
    });
    expect(shown).toEqual(["x", "", "", "***", "", "", "b"]);
  });

  it("keeps numbers alone of what waits, and gives it up to a mark where its needle is not to be had", () => {
    const stream = new Stream().push(["see hun"], ["other", "hunter22"]);
    expect(stream.carry).toEqual({ needle: 1, depth: 3, masked: 0 });
    expect(resumed(stream.carry, compileMatcher(["other"])).lead).toBe("***");
    expect(resumed(stream.carry, null).lead).toBe("***");
    expect(resumed(stream.carry, compileMatcher(["other", "hu"])).lead).toBe("***");
    expect(masked(["t"], { held: givenUp(stream.carry), matcher: null, isOpen: true }).outputs).toEqual(["***t"]);
  });
});

/** The text cut behind each character whose bit is set. */
function piecesOf(text: string, cuts: number): string[] {
  const pieces: string[] = [];
  let start = 0;
  for (let at = 1; at <= text.length; at++) {
    if (at < text.length && ((cuts >> (at - 1)) & 1) === 0) continue;
    pieces.push(text.slice(start, at));
    start = at;
  }
  return pieces;
}

function needlesFrom(random: (below: number) => number, alphabet: string): string[] {
  return Array.from({ length: 1 + random(4) }, () => textOf(random, alphabet, 1 + random(7)));
}

/** Mostly pieces of needles, so that matches begin, break off and overlap. */
function pieceFrom(random: (below: number) => number, alphabet: string, needles: readonly string[]): string {
  if (random(3) === 0) return textOf(random, alphabet, random(5));
  const letters = Array.from(needles[random(needles.length)] ?? "");
  const start = random(letters.length);
  return letters.slice(start, start + 1 + random(letters.length)).join("");
}

/** Places between two characters: events are cut nowhere else. */
function placesIn(text: string): number[] {
  const places: number[] = [];
  let at = 0;
  for (const char of text) {
    at += char.length;
    places.push(at);
  }
  return places;
}
