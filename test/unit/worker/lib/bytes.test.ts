import { describe, expect, test } from "vitest";
import {
  concat,
  fromBase64,
  fromBase64Url,
  fromBlob,
  fromUtf8,
  fromUtf8Strict,
  lengthPrefixed,
  systemRandom,
  toBase32,
  toBase64,
  toBase64Url,
  toHex,
  utf8,
  utf8Length,
} from "../../../../src/worker/lib/bytes.ts";
import { seeded, textOf } from "../../logs/seeded.ts";

const lengths = [0, 1, 2, 3, 4, 5, 31, 32, 33, 255, 0x7fff, 0x8000, 0x8001, 200_000];

describe("encodings", () => {
  test.each(lengths)("of %i bytes are what another implementation gives, and decode to the bytes", (length) => {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at += 60_000) bytes.set(systemRandom(Math.min(60_000, length - at)), at);
    expect(toHex(bytes)).toBe(bytes.toString("hex"));
    expect(toBase64(bytes)).toBe(bytes.toString("base64"));
    expect(toBase64Url(bytes)).toBe(bytes.toString("base64url"));
    expect(bytes.equals(fromBase64(toBase64(bytes)) ?? Buffer.of(1))).toBe(true);
    expect(bytes.equals(fromBase64Url(toBase64Url(bytes)) ?? Buffer.of(1))).toBe(true);
  });

  test.each([
    "A",
    "AA",
    "AAA",
    "AA=",
    "AAA==",
    "A===",
    "AB==",
    "AAB=",
    "AA==AA==",
    "=",
    "A A=",
    "AAAA\n",
    " AAAA",
    "__-_",
    "ÄÄÄÄ",
    "AAAA=",
  ])("%j is no canonical base64", (text) => {
    expect(fromBase64(text)).toBeNull();
  });

  test.each(["A", "AB", "AAB", "AA==", "++//", "AA\n", "A A", "ÄÄ", "AAAAA"])(
    "%j is no canonical base64url",
    (text) => {
      expect(fromBase64Url(text)).toBeNull();
    },
  );

  test.each([
    ["", ""],
    ["f", "my"],
    ["fo", "mzxq"],
    ["foo", "mzxw6"],
    ["foob", "mzxw6yq"],
    ["fooba", "mzxw6ytb"],
    ["foobar", "mzxw6ytboi"],
  ])("%j is %j in base32, RFC 4648's own vectors in lower case without padding", (text, encoded) => {
    expect(toBase32(utf8(text))).toBe(encoded);
  });
});

describe("UTF-8", () => {
  test("is counted in bytes", () => {
    for (const text of ["", "a", "ä", "€", "\u{1f682}"]) expect(utf8Length(text)).toBe(Buffer.byteLength(text));
  });

  test("that is broken is refused strictly, and replaced leniently", () => {
    for (const bad of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
      expect(() => fromUtf8Strict(Uint8Array.from(bad))).toThrow(TypeError);
      expect(fromUtf8(Uint8Array.from(bad))).toContain("\ufffd");
    }
  });

  test("keeps a byte order mark where it is read strictly: it is part of what was sent", () => {
    expect(fromUtf8Strict(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\ufeffa");
  });
});

describe("length-prefixed texts", () => {
  test("are 32-bit big-endian lengths in bytes, each before its text", () => {
    expect(toHex(lengthPrefixed("", "ä", "ab"))).toBe("00000000" + "00000002c3a4" + "000000026162");
    expect(toHex(lengthPrefixed())).toBe("");
  });

  test("are different for different lists, of 5,000 generated ones", () => {
    const random = seeded(12);
    const seen = new Map<string, string>();
    for (let round = 0; round < 5000; round++) {
      const list = Array.from({ length: random(5) }, () => textOf(random, "a\0\u0001", random(4)));
      const bytes = toHex(lengthPrefixed(...list));
      const name = JSON.stringify(list);
      expect(seen.get(bytes) ?? name).toBe(name);
      seen.set(bytes, name);
    }
  });
});

test("bytes are joined in order, of nothing to nothing", () => {
  expect(toHex(concat(Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3)))).toBe("010203");
  expect(concat()).toEqual(new Uint8Array());
});

test("a BLOB is read in both forms that D1 answers", () => {
  expect(fromBlob([1, 255])).toEqual(Uint8Array.of(1, 255));
  expect(fromBlob(Uint8Array.of(1, 255).buffer)).toEqual(Uint8Array.of(1, 255));
});
