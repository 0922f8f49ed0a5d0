/** What a terminal shows of a log: the same whether it was watched live, replayed in larger frames, or never cut. */
import xterm from "@xterm/headless";
import { describe, expect, it } from "vitest";
import { LogAssembler } from "../../../src/client/log-assembler.ts";
import { limits } from "../../../src/protocol/limits.ts";
import { encodeFrame, type FrameHeader } from "../../../src/protocol/log-frames.ts";
import { utf8 } from "../../../src/worker/lib/bytes.ts";
import type { EpochSeconds } from "../../../src/worker/lib/time.ts";
import { type Cursor, cursorAt, nextFrame } from "../../../src/worker/logs/cursor.ts";
import { planPush } from "../../../src/worker/logs/push.ts";
import { type LogRecord, untilOf } from "../../../src/worker/logs/records.ts";
import { emptyRoom, type RoomState } from "../../../src/worker/logs/room-state.ts";
import { seeded } from "./seeded.ts";

const esc = "\u001b";

/** What programs do to a terminal, and what attackers do. */
const acts: readonly ((random: (below: number) => number) => string)[] = [
  () => "plain text and a line\r\n",
  (random) => `${esc}[${30 + random(8)};1mcolour${esc}[0m `,
  (random) => `${esc}[${1 + random(24)};${1 + random(80)}Hjump`,
  (random) => `progress ${random(100)}%\r`,
  (random) => `${esc}[${random(3)}J${esc}[${random(3)}K`,
  (random) => `${esc}[${1 + random(5)}A${esc}[${1 + random(9)}D`,
  () => `${esc}]0;a title${esc}\\`,
  () => `${esc}]8;;https://example.com${esc}\\link${esc}]8;;${esc}\\ `,
  () => `${esc}]52;c;c2VjcmV0${esc}\\`,
  () => `${esc}[?1049h alternate ${esc}[?1049l`,
  () => "漢字 😀 é \u202eright to left\u202c\r\n",
  (random) => `${esc}[${random(1e9)};${random(1e9)}m${esc}[999999999C`,
  () => "\u0000\u0007\u0008\u000b\u000c\t",
  (random) => "=".repeat(random(200)),
];

function streamOf(random: (below: number) => number, count: number): string {
  return Array.from({ length: count }, () => acts[random(acts.length)]?.(random) ?? "").join("");
}

/** As the agent cuts: anywhere between two characters, also in the middle of an escape sequence. */
function cut(text: string, random: (below: number) => number): string[] {
  const letters = Array.from(text);
  const pieces: string[] = [];
  for (let at = 0; at < letters.length; ) {
    const size = 1 + random(100);
    pieces.push(letters.slice(at, at + size).join(""));
    at += size;
  }
  return pieces;
}

class Log {
  readonly records: LogRecord[] = [];
  #room: RoomState = { ...emptyRoom, armed: { jobId: "j", projectId: "p", claimNumber: 1, maskRevision: 1 } };

  push(outputs: readonly string[]): void {
    const lineOf = (output: string) => `${JSON.stringify({ event: "cmd_output", timestamp: 1, output })}\n`;
    const body = utf8(outputs.map(lineOf).join(""));
    const push = { startFrom: this.#room.head, claimNumber: 1, body };
    const plan = planPush(this.#room, push, { matcher: null, now: 1 as EpochSeconds, logBytesMax: limits.logBytes });
    if (plan.kind !== "stored") throw new Error(plan.kind);
    this.records.push(...plan.records);
    this.#room = { ...this.#room, head: this.records.map(untilOf).at(-1) ?? 0 };
  }

  readonly read = (seq: number): LogRecord | null => this.records[seq - 1] ?? null;
}

/** What a viewer gets from its cursor on, and where it then stands. */
function watched(log: Log, cursor: Cursor, assembler: LogAssembler, frameBytes: number): [string, Cursor] {
  let [shown, at] = ["", cursor];
  for (let frame = nextFrame(log.read, at, frameBytes); frame !== null; frame = nextFrame(log.read, at, frameBytes)) {
    const bytes = encodeFrame({ ...frame.header, credit: 1 } as FrameHeader, frame.payload);
    for (const record of assembler.take(bytes).records) shown += record.kind === "event" ? record.event.output : "";
    at = frame.next;
  }
  return [shown, at];
}

/** Every cell with its colours, and the cursor. */
async function screenOf(writes: readonly string[]): Promise<string> {
  const terminal = new xterm.Terminal({
    cols: 80,
    rows: 24,
    scrollback: 1000,
    logLevel: "off",
    allowProposedApi: true,
  });
  for (const text of writes) await new Promise<void>((resolve) => terminal.write(text, resolve));
  const { active } = terminal.buffer;
  const rows = Array.from({ length: active.length }, (_, y) => {
    const line = active.getLine(y);
    return Array.from({ length: terminal.cols }, (_, x) => {
      const cell = line?.getCell(x);
      return `${cell?.getChars()}${cell?.getFgColor()}${cell?.isBold()}`;
    }).join("|");
  });
  const { cursorX, cursorY } = active;
  terminal.dispose();
  return `${cursorX},${cursorY}\n${rows.join("\n")}`;
}

describe("a terminal", () => {
  it("shows of a replay what it showed live, and what it would have shown of the uncut stream", async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const random = seeded(seed);
      const stream = streamOf(random, 200);
      const pieces = cut(stream, random);
      const log = new Log();
      const live = new LogAssembler(0);
      let place = cursorAt(0, 0, log.read);
      const writes: string[] = [];
      for (let at = 0; at < pieces.length; ) {
        const size = 1 + random(40);
        log.push(pieces.slice(at, at + size));
        at += size;
        const [shown, next] = watched(log, place, live, limits.viewerFrameBytes);
        writes.push(shown);
        place = next;
      }
      const expected = await screenOf([stream]);
      expect((await screenOf(writes)) === expected, `live, seed ${seed}`).toBe(true);
      for (const frameBytes of [5000, limits.viewerFirstFrameBytes, limits.viewerFrameBytes]) {
        const start = cursorAt(0, log.records.length, log.read);
        const [replay] = watched(log, start, new LogAssembler(0), frameBytes);
        expect(replay === stream, `the bytes, seed ${seed}, frames of ${frameBytes}`).toBe(true);
        expect((await screenOf([replay])) === expected, `replayed, seed ${seed}`).toBe(true);
      }
    }
  });
});
