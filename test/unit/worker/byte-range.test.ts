import { describe, expect, it } from "vitest";
import { readByteRange } from "../../../src/worker/lib/byte-range.ts";

describe("a byte range", () => {
  it.each([
    [null, 10, null],
    ["bytes=0-4", 10, { first: 0, end: 5 }],
    ["Bytes=4-", 10, { first: 4, end: 10 }],
    ["bytes=-4", 10, { first: 6, end: 10 }],
    ["bytes=-40", 10, { first: 0, end: 10 }],
    ["bytes=9-99", 10, { first: 9, end: 10 }],
    ["bytes=10-", 10, "unsatisfiable"],
    ["bytes=-0", 10, "unsatisfiable"],
    ["bytes=0-", 0, "unsatisfiable"],
    ["bytes=5-4", 10, null],
    ["bytes=-", 10, null],
    ["bytes=0-1,3-4", 10, null],
    ["lines=0-1", 10, null],
  ])("%j of %i bytes is %j", (header, total, expected) => {
    expect(readByteRange(header, total)).toEqual(expected);
  });
});
