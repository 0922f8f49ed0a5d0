import { expect, test } from "vitest";
import { OutputLines } from "../../../src/agent/output-lines.ts";

const bytes = (text: string) => Buffer.from(text);

test("whole lines wait 100 ms for more, and go out together", () => {
  const lines = new OutputLines();
  expect(lines.write(bytes("a\nb\nunfin"), 0)).toEqual([]);
  expect(lines.nextDue).toBe(100);
  expect(lines.due(99)).toEqual([]);
  expect(lines.due(100)).toEqual(["a\nb\n"]);
  expect(lines.write(bytes("ished\n"), 150)).toEqual([]);
  expect(lines.due(250)).toEqual(["unfinished\n"]);
  expect(lines.nextDue).toBeNull();
});

test("an unfinished line is shown after a second without more of it, and after three in any case", () => {
  const lines = new OutputLines();
  lines.write(bytes("Password: "), 0);
  expect(lines.due(999)).toEqual([]);
  expect(lines.due(1000)).toEqual(["Password: "]);
  for (let now = 2000; now < 5000; now += 500) {
    lines.write(bytes("."), now);
    expect(lines.due(now)).toEqual([]);
  }
  expect(lines.due(5000)).toEqual(["......"]);
});

test("32 KiB of whole lines go out at once, in pieces that end at line ends", () => {
  const lines = new OutputLines();
  const text = `${"x".repeat(99)}\n`.repeat(1000);
  const pieces = lines.write(bytes(`${text}tail`), 0);
  expect(pieces.join("")).toBe(text);
  expect(pieces.every((piece) => piece.endsWith("\n") && piece.length <= 32 * 1024)).toBe(true);
  expect(lines.end()).toEqual(["tail"]);
});

test("a line is kept whole up to 64 Ki characters, and cut beyond", () => {
  const lines = new OutputLines();
  const long = `${"a".repeat(60_000)}\n`;
  expect(lines.write(bytes(`short\n${long}`), 0)).toEqual(["short\n", long]);
  const endless = lines.write(bytes("b".repeat(150_000)), 0);
  expect(endless.map((piece) => piece.length)).toEqual([65_536, 65_536]);
  expect(lines.end()).toEqual(["b".repeat(150_000 - 2 * 65_536)]);
});

test("no character is ever cut, whether a read ends in it or a piece would", () => {
  const lines = new OutputLines();
  const train = bytes("🚂");
  for (const byte of train) expect(lines.write(Buffer.of(byte), 0)).toEqual([]);
  expect(lines.end()).toEqual(["🚂"]);
  const pieces = [...lines.write(bytes(`x${"🚂".repeat(40_000)}`), 0), ...lines.end()];
  expect(pieces.join("")).toBe(`x${"🚂".repeat(40_000)}`);
  expect(pieces.every((piece) => piece.isWellFormed())).toBe(true);
});

test("bytes that are no UTF-8 become U+FFFD, also where the output ends inside a character", () => {
  const lines = new OutputLines();
  lines.write(Buffer.of(0x61, 0xff, 0x62), 0);
  expect(lines.end()).toEqual(["a\ufffdb"]);
  lines.write(Buffer.of(0xf0, 0x9f), 0);
  expect(lines.end()).toEqual(["\ufffd"]);
  lines.write(bytes("new"), 0);
  expect(lines.end()).toEqual(["new"]);
});

test("CRLF becomes LF, across reads and time as well; a lone CR stays", () => {
  const lines = new OutputLines();
  lines.write(bytes("50%\r100%\r"), 0);
  expect(lines.due(1000)).toEqual(["50%\r100%"]);
  expect(lines.nextDue).toBeNull();
  lines.write(bytes("\ndone\r\n"), 1100);
  expect(lines.end()).toEqual(["\ndone\n"]);
});

test("random cuts and times never change what the output says", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  for (let round = 0; round < 50; round++) {
    const text = Array.from({ length: 3000 }, () => ["é", "\n", "\r\n", "🚂", "x".repeat(random(200))][random(5)]).join(
      "",
    );
    const source = bytes(text);
    const lines = new OutputLines();
    const pieces: string[] = [];
    for (let at = 0, now = 0; at < source.length; now += random(400)) {
      const next = at + 1 + random(5000);
      pieces.push(...lines.due(now), ...lines.write(source.subarray(at, next), now));
      at = next;
    }
    pieces.push(...lines.end());
    expect(pieces.join("")).toBe(text.replaceAll("\r\n", "\n"));
    expect(pieces.every((piece) => piece !== "" && piece.length <= 65_536)).toBe(true);
  }
});
