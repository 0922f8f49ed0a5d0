import { describe, expect, it } from "vitest";
import { limits } from "../../../src/protocol/limits.ts";
import { concat, fromUtf8, utf8 } from "../../../src/worker/lib/bytes.ts";
import type { EpochSeconds } from "../../../src/worker/lib/time.ts";
import { encodeLines } from "../../../src/worker/logs/append.ts";
import { lineAt } from "../../../src/worker/logs/lines.ts";
import { compileMatcher } from "../../../src/worker/logs/mask.ts";
import { nothingHeld } from "../../../src/worker/logs/mask-stream.ts";
import { readPosition } from "../../../src/worker/logs/positions.ts";
import { planPush } from "../../../src/worker/logs/push.ts";
import { readPushBody } from "../../../src/worker/logs/push-lines.ts";
import { type LogRecord, rowBytes, untilOf } from "../../../src/worker/logs/records.ts";
import { emptyRoom, type RoomState } from "../../../src/worker/logs/room-state.ts";
import { seeded } from "./seeded.ts";

const now = 1_795_169_265 as EpochSeconds;
const matcher = compileMatcher(["hunter22"]);
const armedRoom: RoomState = { ...emptyRoom, armed: { jobId: "j", projectId: "p", claimNumber: 2, maskRevision: 1 } };

/** A line of a command that goes no further in its push: nothing waits behind it. */
function encoded(line: string | Uint8Array): string {
  const end = utf8('{"event":"job_started","timestamp":0}\n');
  const body = readPushBody(concat(typeof line === "string" ? utf8(line) : line, utf8("\n"), end));
  if (body.kind !== "lines") throw new Error(body.kind);
  return fromUtf8(lineAt(encodeLines(body.lines, 0, { held: nothingHeld, matcher, now }).lines, 0));
}

function output(text: string): string {
  return `{"event":"cmd_output","timestamp":5,"output":${JSON.stringify(text)}}\n`;
}

function plan(
  room: RoomState,
  startFrom: number,
  body: string | Uint8Array | null,
  logBytesMax: number = limits.logBytes,
) {
  const bytes = typeof body === "string" ? utf8(body) : body;
  return planPush(room, { startFrom, claimNumber: 2, body: bytes }, { matcher, now, logBytesMax });
}

/** A room after a push, as the store would leave it. */
class Model {
  room = armedRoom;
  records: LogRecord[] = [];

  push(startFrom: number, body: string): number {
    const made = plan(this.room, startFrom, body);
    if (made.kind === "malformed") return 400;
    if (made.kind === "refused") return 422;
    this.records.push(...made.records);
    const last = made.records.at(-1);
    if (last) this.room = { ...this.room, head: untilOf(last) };
    return 200;
  }

  get text(): string {
    return this.records
      .map((r) => (r.kind === "gap" ? `gap ${r.position}-${r.until}\n` : "bytes" in r ? fromUtf8(r.bytes) : ""))
      .join("");
  }
}

describe("a line", () => {
  it("of plain output is stored in the very characters that came", () => {
    const line = '{"event":"cmd_output","timestamp":1795169265,"output":"\\u003cb\\u003e \\u001b[0m é"}';
    expect(encoded(line)).toBe(`${line}\n`);
  });

  it("is masked in what it says, not in how it is escaped", () => {
    expect(encoded('{"event":"cmd_output","timestamp":5,"output":"a \\u0068unter22 b"}')).toBe(output("a *** b"));
    expect(encoded('{"event":"cmd_started","timestamp":5,"directive":"echo hunter22"}')).toBe(
      '{"event":"cmd_started","timestamp":5,"directive":"echo ***"}\n',
    );
  });

  it("cannot hide a secret in a repeated, unknown or nested field", () => {
    const lines = [
      '{"event":"cmd_output","timestamp":5,"output":"hunter22","output":"x"}',
      '{"event":"cmd_output","timestamp":5,"output":"x","output":"hunter22"}',
      '{"event":"cmd_output","timestamp":5,"output":"x","more":"hunter22"}',
      '{"event":"cmd_output","timestamp":5,"output":"x","more":{"output":"hunter22"}}',
      '{"event":"job_finished","timestamp":5,"result":"passed","x":"hunter22"}',
      '{"hunter22":1,"event":"job_started","timestamp":5}',
      "hunter22",
      '{"event":"cmd_output","timestamp":5,"output":"hunter22}',
      '{"event":"cmd_output","timestamp":5,"output":"x","output":"hunter22","output":"y"}',
    ];
    for (const line of lines) expect(encoded(line)).not.toContain("hunter22");
  });

  it("comes out in the protocol's key order whatever order it came in", () => {
    const shuffled =
      '{"finished_at":4,"timestamp":5,"exit_code":7,"x":1,"directive":"d","started_at":3,"event":"cmd_finished"}';
    expect(encoded(shuffled)).toBe(
      '{"event":"cmd_finished","timestamp":5,"directive":"d","exit_code":7,"started_at":3,"finished_at":4}\n',
    );
  });

  it("that is no event keeps its place as an empty output", () => {
    for (const line of [
      "{",
      "",
      "[]",
      "null",
      '{"event":"other","timestamp":1}',
      '{"event":"cmd_output"}',
      '{"event":"cmd_output","timestamp":1.5,"output":""}',
    ]) {
      expect(encoded(line)).toBe(`{"event":"cmd_output","timestamp":${now},"output":""}\n`);
    }
  });

  it("of more values than any event has is no event, and what its strings hold is not counted", () => {
    const job = (more: string) => encoded(`{"event":"job_started","timestamp":5,"more":${more}}`);
    const started = '{"event":"job_started","timestamp":5}\n';
    expect(job('[1,{"a":[2,3]}]')).toBe(started);
    expect(job(`"${'[{,\\"'.repeat(2000)}"`)).toBe(started);
    for (const many of [
      `[${"1,".repeat(2000)}1]`,
      `${"[".repeat(2000)}${"]".repeat(2000)}`,
      `[${"{},".repeat(2000)}1]`,
    ])
      expect(job(many)).toBe(output("").replace("5", String(now)));
  });

  it("takes every control character and what is no UTF-8", () => {
    const all = Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)).join("");
    expect(JSON.parse(encoded(output(all).trim())).output).toBe(all);
    const broken = Uint8Array.of(...utf8('{"event":"cmd_output","timestamp":5,"output":"'), 0xff, 0x22, 0x7d);
    expect(JSON.parse(encoded(broken)).output).toBe("\ufffd");
  });
});

describe("positions", () => {
  it("repeated are stored once, and what is stored wins", () => {
    const log = new Model();
    expect(log.push(0, output("a") + output("b"))).toBe(200);
    expect(log.push(0, output("X") + output("Y"))).toBe(200);
    expect(log.text).toBe(output("a") + output("b"));
  });

  it("of a batch that has grown are stored from the first new one", () => {
    const log = new Model();
    log.push(0, output("a") + output("b"));
    expect(log.push(1, output("X") + output("c") + output("d"))).toBe(200);
    expect(log.text).toBe(output("a") + output("b") + output("c") + output("d"));
  });

  it("skipped leave an explicit gap, which later pushes do not fill", () => {
    const log = new Model();
    log.push(0, output("a"));
    expect(log.push(3, output("d"))).toBe(200);
    expect(log.push(1, output("b") + output("c"))).toBe(200);
    expect(log.push(2, output("c") + output("d") + output("e"))).toBe(200);
    expect(log.text).toBe(`${output("a")}gap 1-3\n${output("d")}${output("e")}`);
  });

  it("survive any history of retries, overlaps and growth", () => {
    const random = seeded(4);
    const all = Array.from({ length: 60 }, (_, index) => output(`line ${index}`));
    for (let round = 0; round < 200; round++) {
      const log = new Model();
      while (log.room.head < all.length) {
        const start = random(log.room.head + 1);
        expect(log.push(start, all.slice(start, start + 1 + random(9)).join(""))).toBe(200);
      }
      expect(log.text).toBe(all.join(""));
    }
  });

  it("that are no numbers are told apart", () => {
    expect(["0", "7", "00012", "999999999999999"].map(readPosition)).toEqual([0, 7, 12, 999999999999999]);
    for (const text of [null, "", "-1", "1.5", "1e3", " 1", "x", "9999999999999999"])
      expect(readPosition(text)).toBeNull();
  });
});

describe("a push", () => {
  it("may lack the last line end, and may be empty", () => {
    expect(plan(armedRoom, 0, output("a").trim())).toMatchObject({ kind: "stored", records: [{ count: 1 }] });
    expect(plan(armedRoom, 7, "")).toEqual({ kind: "stored", records: [], carry: null });
  });

  it("that is nothing like events is malformed, and one line like an event is enough", () => {
    for (const body of ["<html>", "[1,2]\n", "\n\n", "a=b"]) expect(plan(armedRoom, 0, body).kind).toBe("malformed");
    expect(plan(armedRoom, 0, `noise\n${output("a")}`)).toMatchObject({ kind: "stored", records: [{ count: 2 }] });
  });

  it("of 2,000 events is taken and of 2,001 refused with a notice", () => {
    expect(plan(armedRoom, 0, output("a").repeat(2000)).kind).toBe("stored");
    expect(plan(armedRoom, 0, output("a").repeat(2001))).toMatchObject({ kind: "refused", fills: false });
  });

  it("longer than the limit, or longer once stored, is refused with a notice", () => {
    expect(plan(armedRoom, 0, null)).toMatchObject({ kind: "refused", notice: expect.stringContaining("16 MiB") });
    const invalid = new Uint8Array(8 * 1024 * 1024).fill(0xff);
    invalid.set(utf8('{"event":"cmd_output","timestamp":5,"output":"'));
    invalid.set(utf8('"}'), invalid.length - 2);
    expect(plan(armedRoom, 0, invalid)).toMatchObject({ kind: "refused", notice: expect.stringContaining("16 MiB") });
  });

  it("over the log's limit fills it: nothing of it is stored, and no later one", () => {
    const line = output("a");
    expect(plan(armedRoom, 0, line, line.length).kind).toBe("stored");
    expect(plan(armedRoom, 0, line, line.length - 1)).toMatchObject({ kind: "refused", fills: true });
    const full = { ...armedRoom, head: 5, isFull: true };
    expect(plan(full, 5, line)).toEqual({ kind: "refused", notice: null, fills: false });
    expect(plan(full, 4, line).kind).toBe("stored");
  });

  it("of another claim, to a closed log, or before any claim is refused", () => {
    for (const room of [
      { ...armedRoom, result: "passed" as const },
      { ...armedRoom, armed: null },
      { ...armedRoom, armed: { jobId: "j", projectId: "p", claimNumber: 3, maskRevision: 1 } },
      { ...armedRoom, armed: { jobId: "j", projectId: "p", claimNumber: 1, maskRevision: 1 } },
    ]) {
      expect(plan(room, 0, output("a"))).toEqual({ kind: "refused", notice: null, fills: false });
    }
  });

  it("becomes rows of whole events, and one event larger than a row becomes parts under its position", () => {
    const big = output("x".repeat(2_500_000));
    const made = plan(armedRoom, 0, output("a".repeat(200_000)) + output("b".repeat(100_000)) + big + output("c"));
    if (made.kind !== "stored") throw new Error(made.kind);
    const shape = made.records.map((r) => [
      r.kind,
      r.position,
      "part" in r ? `${r.part}/${r.parts}` : "count" in r ? r.count : 0,
    ]);
    expect(shape).toEqual([
      ["events", 0, 1],
      ["events", 1, 1],
      ["part", 2, "1/3"],
      ["part", 2, "2/3"],
      ["part", 2, "3/3"],
      ["events", 3, 1],
    ]);
    for (const record of made.records) {
      if (record.kind === "events") expect(record.bytes.length).toBeLessThanOrEqual(rowBytes);
      if (record.kind === "part") expect(record.bytes.length).toBeLessThanOrEqual(limits.logPartBytes);
    }
  });

  it("of 2,000 events of 1,000 bytes that JSON escapes sixfold is taken whole, in rows under 2 MB", () => {
    const line = output("\u0001".repeat(1000));
    expect(line.length).toBeGreaterThan(6000);
    const made = plan(armedRoom, 0, line.repeat(2000));
    if (made.kind !== "stored") throw new Error(made.kind);
    expect(made.records.at(-1)).toMatchObject({ kind: "events" });
    const rows = made.records.flatMap((record) => ("bytes" in record ? [record.bytes] : []));
    expect(rows.reduce((sum, { length }) => sum + length, 0)).toBe(2000 * line.length);
    expect(Math.max(...rows.map(({ length }) => length))).toBeLessThanOrEqual(256 * 1024);
    expect(rows.length).toBeLessThan(60);
  });

  it("is stored alike whether its lines lie in one stretch, are broken in between, or lack the last end", () => {
    const broken = Uint8Array.of(...utf8('{"event":"cmd_output","timestamp":1,"output":"'), 0xff, ...utf8('"}\n'));
    const [first, last] = [output("first 漢"), output("last \ufeff")];
    const whole = concat(utf8(first), broken, utf8(`\n${last.slice(0, -1)}`));
    const made = plan(armedRoom, 0, whole);
    if (made.kind !== "stored") throw new Error(made.kind);
    const text = made.records.map((record) => ("bytes" in record ? fromUtf8(record.bytes) : "")).join("");
    expect(text.split("\n")).toEqual([
      first.trimEnd(),
      '{"event":"cmd_output","timestamp":1,"output":"\ufffd"}',
      `{"event":"cmd_output","timestamp":${now},"output":""}`,
      last.trimEnd(),
      "",
    ]);
  });

  it("of 16 MiB of brackets or of fields makes no objects of them: a parser would, of a gigabyte, for seconds", () => {
    const nested = "[".repeat(8_000_000) + "]".repeat(8_000_000);
    const [brackets, fields] = [`{"event":"x","a":${nested}}`, `{"event":"x"${',"a":{}'.repeat(2_300_000)}}`];
    const started = performance.now();
    for (const body of [brackets, fields]) expect(plan(armedRoom, 0, body)).toMatchObject({ records: [{ count: 1 }] });
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it("of 2,000 ordinary events is a few rows, masked in well under a second", () => {
    const needles = Array.from({ length: 200 }, (_, index) => `secret-${index}-${"abcdef".repeat(6)}`);
    const compiled = compileMatcher(needles);
    const body = utf8(output(`${"an ordinary line of output ".repeat(3)}secret-7-${"abcdef".repeat(6)}`).repeat(2000));
    const started = performance.now();
    const made = planPush(
      armedRoom,
      { startFrom: 0, claimNumber: 2, body },
      { matcher: compiled, now, logBytesMax: limits.logBytes },
    );
    expect(performance.now() - started).toBeLessThan(500);
    if (made.kind !== "stored") throw new Error(made.kind);
    expect(made.records.length).toBeLessThan(4);
    for (const record of made.records) expect("bytes" in record && fromUtf8(record.bytes)).not.toContain("secret-7");
  });
});
