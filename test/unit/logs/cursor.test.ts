import { describe, expect, it } from "vitest";
import { limits } from "../../../src/protocol/limits.ts";
import { concat, fromUtf8, utf8 } from "../../../src/worker/lib/bytes.ts";
import { type Cursor, cursorAt, type FrameDraft, nextFrame } from "../../../src/worker/logs/cursor.ts";
import { readPage } from "../../../src/worker/logs/page.ts";
import { type LogRecord, packRecords, untilOf } from "../../../src/worker/logs/records.ts";
import { linesOf } from "./lines-of.ts";
import { seeded } from "./seeded.ts";

type Told = string;

/** A generated log: rows of any size, large events, gaps, notices; and all that a reader must be told, in order. */
function generatedLog(seed: number) {
  const random = seeded(seed);
  const sizes = [
    10,
    300,
    60_000,
    70_000,
    limits.viewerFrameBytes - 1,
    limits.viewerFrameBytes,
    300_000,
    1_100_000,
    2_200_000,
  ];
  const records: LogRecord[] = [];
  const told: { at: number; told: Told }[] = [];
  let head = 0;
  const rounds = 3 + random(6);
  for (let round = 0; round < rounds; round++) {
    const what = random(6);
    if (what === 0) {
      const until = head + 1 + random(5);
      records.push({ kind: "gap", position: head, until });
      for (; head < until; head++) told.push({ at: head, told: `gap ${head}` });
    } else if (what === 1) {
      const text = `notice ${round}`;
      records.push({ kind: "notice", position: head, text });
      told.push({ at: head, told: `${text} at ${head}` });
    } else {
      const lines = Array.from({ length: 1 + random(8) }, (_, index) =>
        lineOf(head + index, sizes[random(sizes.length)] ?? 9),
      );
      records.push(...packRecords(head, linesOf(...lines)));
      for (const line of lines) told.push({ at: head++, told: fromUtf8(line) });
    }
  }
  return { records, told, head, read: (seq: number) => records[seq - 1] ?? null };
}

function lineOf(position: number, size: number): Uint8Array {
  return utf8(`${`${position}:`.padEnd(size - 1, "x")}\n`);
}

function textsIn(bytes: Uint8Array): string[] {
  const lines = fromUtf8(bytes).split("\n");
  expect(lines.pop()).toBe("");
  return lines.map((line) => `${line}\n`);
}

/** What a reader is told from a cursor on, with all frames checked on the way. */
function follow(read: (seq: number) => LogRecord | null, start: Cursor, isNew: boolean) {
  const told: Told[] = [];
  const frames: FrameDraft[] = [];
  let parts: Uint8Array[] = [];
  let cursor = start;
  for (;;) {
    const bytesMax = isNew && frames.length === 0 ? limits.viewerFirstFrameBytes : limits.viewerFrameBytes;
    const frame = nextFrame(read, cursor, bytesMax);
    if (frame === null) return { told, frames, cursor };
    frames.push(frame);
    const { header, payload } = frame;
    expect(payload.length).toBeLessThanOrEqual(bytesMax);
    if (header.kind === "gap") for (let at = header.position; at < header.until; at++) told.push(`gap ${at}`);
    if (header.kind === "notice") told.push(`${header.text} at ${header.position}`);
    if (header.kind === "events") {
      if (header.part !== undefined) {
        parts.push(payload);
        expect(header.part).toBe(parts.length);
        expect(header.count).toBe(header.part === header.parts ? 1 : 0);
      }
      const bytes = header.part === undefined ? payload : concat(...parts);
      if (header.count > 0) {
        const lines = textsIn(bytes);
        expect(lines.length).toBe(header.count);
        expect(lines.every((line, index) => line.startsWith(`${header.position + index}:`))).toBe(true);
        told.push(...lines);
        parts = [];
      }
    }
    cursor = frame.next;
  }
}

describe("frames", () => {
  it("tell everything once and in order from every position on, in frames of the allowed size", () => {
    for (let seed = 1; seed <= 25; seed++) {
      const log = generatedLog(seed);
      const positions = new Set([0, 1, Math.floor(log.head / 2), log.head - 1, log.head].filter((at) => at >= 0));
      for (const from of positions) {
        const cursor = cursorAt(from, log.records.length, log.read);
        const expected = log.told.filter(({ at }) => at >= from).map(({ told }) => told);
        expect(follow(log.read, cursor, true).told.join("|"), `seed ${seed} from ${from}`).toBe(expected.join("|"));
      }
    }
  });

  it("go on from the cursor of any frame as if nothing had happened", () => {
    for (let seed = 100; seed < 110; seed++) {
      const log = generatedLog(seed);
      const whole = follow(log.read, cursorAt(0, log.records.length, log.read), true);
      const again: Uint8Array[] = [];
      let cursor: Cursor | undefined = cursorAt(0, log.records.length, log.read);
      for (let count = 0; cursor !== undefined; count++) {
        // As it comes back from a socket's attachment after an eviction.
        const frame = nextFrame(
          log.read,
          structuredClone(cursor),
          count === 0 ? limits.viewerFirstFrameBytes : limits.viewerFrameBytes,
        );
        if (frame !== null) again.push(frame.payload);
        cursor = frame?.next;
      }
      const expected = concat(...whole.frames.map(({ payload }) => payload));
      expect(Buffer.compare(concat(...again), expected)).toBe(0);
    }
  });

  it("join the small rows of a live log", () => {
    const records = Array.from({ length: 500 }, (_, at) => packRecords(at, linesOf(lineOf(at, 1000)))).flat();
    const read = (seq: number) => records[seq - 1] ?? null;
    const { frames } = follow(read, cursorAt(0, records.length, read), true);
    expect(frames.length).toBe(3); // 500 kB: one small frame, then two full ones
  });

  it("are none at the head, and a cursor there finds what is appended later", () => {
    const records = packRecords(0, linesOf(lineOf(0, 20), lineOf(1, 20))) as LogRecord[];
    const read = (seq: number) => records[seq - 1] ?? null;
    const cursor = cursorAt(2, records.length, read);
    expect(nextFrame(read, cursor, 1000)).toBeNull();
    records.push({ kind: "gap", position: 2, until: 4 }, ...packRecords(4, linesOf(lineOf(4, 20))));
    expect(follow(read, cursor, false).told).toEqual(["gap 2", "gap 3", fromUtf8(lineOf(4, 20))]);
  });

  it("of an empty log are none", () => {
    expect(
      nextFrame(
        () => null,
        cursorAt(0, 0, () => null),
        1000,
      ),
    ).toBeNull();
  });
});

describe("pages of the plain read", () => {
  it("hold every event once and in order, whatever their size", () => {
    for (let seed = 200; seed < 215; seed++) {
      const log = generatedLog(seed);
      for (const bytesMax of [1, 5000, 1024 * 1024]) {
        let text = "";
        let from = 0;
        for (;;) {
          const page = readPage(log.read, { lastSeq: log.records.length, isFinal: true }, { from, bytesMax });
          text += fromUtf8(page.events);
          if (page.isFinal) break;
          expect(page.next).toBeGreaterThan(from);
          from = page.next;
        }
        const events = log.told.map(({ told }) => told).filter((told) => !/^(?:gap|notice)/.test(told));
        expect(text).toBe(events.join(""));
      }
    }
  });

  it("end at the head of a log that goes on, and say where", () => {
    const records = packRecords(0, linesOf(lineOf(0, 20), lineOf(1, 20)));
    const read = (seq: number) => records[seq - 1] ?? null;
    const page = readPage(read, { lastSeq: records.length, isFinal: false }, { from: 1, bytesMax: 1000 });
    expect({ ...page, events: fromUtf8(page.events) }).toEqual({
      events: fromUtf8(lineOf(1, 20)),
      next: 2,
      isFinal: false,
    });
    expect(untilOf(records[0] as LogRecord)).toBe(2);
  });
});
