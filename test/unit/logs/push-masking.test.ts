/** Masking through whole pushes: other events between outputs, retries, growth, gaps, and masks opened anew each time. */
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/protocol/limits.ts";
import { LogEvent } from "../../../src/protocol/log-events.ts";
import { fromUtf8, utf8 } from "../../../src/worker/lib/bytes.ts";
import type { EpochSeconds } from "../../../src/worker/lib/time.ts";
import { compileMatcher } from "../../../src/worker/logs/mask.ts";
import { planPush } from "../../../src/worker/logs/push.ts";
import { untilOf } from "../../../src/worker/logs/records.ts";
import { emptyRoom, type RoomState } from "../../../src/worker/logs/room-state.ts";
import { NaiveStream, naiveMask } from "./naive-mask.ts";
import { seeded, textOf } from "./seeded.ts";

const now = 1_795_169_265 as EpochSeconds;

const armedRoom: RoomState = { ...emptyRoom, armed: { jobId: "j", projectId: "p", claimNumber: 1, maskRevision: 1 } };

/** A room that is evicted after every push: what it keeps goes through JSON, and its needles are compiled anew. */
class Room {
  state = armedRoom;
  readonly stored: string[] = [];

  push(startFrom: number, lines: readonly string[], needles: readonly string[]): number {
    const body = utf8(lines.map((line) => `${line}\n`).join(""));
    const context = { matcher: compileMatcher(needles), now, logBytesMax: limits.logBytes };
    const plan = planPush(this.state, { startFrom, claimNumber: 1, body }, context);
    if (plan.kind !== "stored") throw new Error(plan.kind);
    for (const record of plan.records) {
      if (record.kind === "gap") this.stored.push(`gap ${record.position}-${record.until}`);
      if (record.kind === "events") this.stored.push(...fromUtf8(record.bytes).trimEnd().split("\n"));
      this.state = { ...this.state, head: untilOf(record) };
    }
    this.state = JSON.parse(JSON.stringify({ ...this.state, carry: plan.carry }));
    return this.state.head;
  }

  /** What a reader sees, joined; every other event as its name and directive. */
  get text(): string {
    return this.stored.map(textOfStored).join("");
  }
}

function textOfStored(line: string): string {
  if (line.startsWith("gap")) return `[${line}]`;
  const event = LogEvent.parse(JSON.parse(line));
  const directive = "directive" in event ? ` ${event.directive}` : "";
  return `${event.output ?? ""}${event.event === "cmd_output" ? "" : `[${event.event}${directive}]`}`;
}

/** The same told from the events as they came, by search alone. */
class Expected {
  #before = "";
  #stream = new NaiveStream();

  push(gap: string | null, events: readonly LogEvent[], needles: readonly string[]): void {
    if (gap !== null) this.#end(`${this.#stream.shown}[${gap}]${this.#stream.isHiding ? "***" : ""}`);
    let joined = "";
    for (const event of events) {
      joined += event.event === "cmd_output" ? event.output : "";
      if (event.event === "cmd_output") continue;
      this.#stream.add(joined, needles);
      const directive = "directive" in event ? ` ${naiveMask(event.directive, needles)}` : "";
      this.#end(`${this.#stream.released}[${event.event}${directive}]`);
      joined = "";
    }
    this.#stream.add(joined, needles);
  }

  #end(text: string): void {
    this.#before += text;
    this.#stream = new NaiveStream();
  }

  get text(): string {
    return this.#before + this.#stream.shown;
  }
}

describe("a log pushed in pieces", () => {
  it("shows after every push what searching each command's whole output shows, whatever was resent, grown or lost", () => {
    const random = seeded(21);
    for (let round = 0; round < 3000; round++) {
      const alphabet = ["ab", "aab\r\n", "abé漢😀", "ab\\\"'<"][random(4)] ?? "ab";
      const needles = Array.from({ length: 1 + random(5) }, () => textOf(random, alphabet, 1 + random(6)));
      const events = eventsFrom(random, alphabet, needles);
      const room = new Room();
      const expected = new Expected();
      while (room.state.head < events.length) {
        const { head } = room.state;
        const start = random(12) === 0 ? head + random(4) : Math.max(0, head - random(5));
        const sent = events.slice(start, start + 1 + random(8));
        if (sent.length === 0) break;
        const until = room.push(
          start,
          sent.map((event) => lineOf(random, event)),
          needles,
        );
        const gap = start > head ? `gap ${head}-${start}` : null;
        expected.push(gap, events.slice(Math.max(head, start), until), needles);
        const what = () => JSON.stringify({ round, needles, stored: room.stored });
        if (room.text !== expected.text) expect(room.text, what()).toBe(expected.text);
      }
      const positions = room.stored.filter((line) => !line.startsWith("gap")).length;
      const gaps = room.stored.filter((line) => line.startsWith("gap"));
      const lost = gaps.map((line) => line.slice(4).split("-").map(Number)).map(([from = 0, to = 0]) => to - from);
      expect(positions + lost.reduce((sum, each) => sum + each, 0)).toBe(room.state.head);
    }
  });

  it("releases what waited, where the command ended, in the field output of the event that ended it", () => {
    const room = new Room();
    room.push(0, [line("a hunt")], ["hunter22"]);
    expect(room.state.carry).toEqual({ needle: 0, depth: 4, masked: 0 });
    const finished = { event: "cmd_finished", timestamp: 7, directive: "echo hunter22", exit_code: 0 };
    room.push(1, [JSON.stringify({ ...finished, started_at: 1, finished_at: 2 })], ["hunter22"]);
    expect(room.stored).toEqual([
      line("a "),
      '{"event":"cmd_finished","timestamp":7,"directive":"echo ***","exit_code":0,"started_at":1,"finished_at":2,"output":"hunt"}',
    ]);
    expect(room.state.carry).toBeNull();
  });

  it("does not take the field output from an agent, beside a cmd_output", () => {
    const room = new Room();
    const events = ['{"event":"job_started","timestamp":1', '{"event":"cmd_started","timestamp":1,"directive":"d"'];
    room.push(0, [`${events[0]},"output":"hunter22"}`, `${events[1]},"output":7}`], ["hunter22"]);
    expect(room.stored).toEqual([`${events[0]}}`, `${events[1]}}`]);
  });

  it("lets no half of a surrogate pair join with the next event's to what was not searched for", () => {
    const room = new Room();
    const [high, low] = ["\\ud83d", "\\ude00"];
    room.push(0, [line("x").replace("x", `key-${high}`), line("x").replace("x", `${low}-end`)], ["key-😀-end"]);
    expect(room.text).toBe("key-\ufffd\ufffd-end");
  });

  it("counts a byte order mark, broken bytes and lines that are no events as what is stored of them", () => {
    const room = new Room();
    room.push(0, ["{}", line("\ufeffhunt"), "noise", line("er22\ufeff"), line("hun"), "{"], ["hunter22"]);
    room.push(6, [line("ter22"), line("!")], ["hunter22"]);
    expect(room.text).toBe("\ufeff***\ufeff***!");
    expect(room.stored.length).toBe(8);
  });
});

function eventsFrom(random: (below: number) => number, alphabet: string, needles: readonly string[]): LogEvent[] {
  const pieces = () => {
    if (random(3) === 0) return textOf(random, alphabet, random(5));
    const letters = Array.from(needles[random(needles.length)] ?? "");
    const start = random(letters.length);
    return letters.slice(start, start + 1 + random(letters.length)).join("");
  };
  return Array.from({ length: 5 + random(25) }, (_, timestamp): LogEvent => {
    const kind = random(16);
    const directive = pieces();
    if (kind === 0) return { event: "cmd_started", timestamp, directive };
    if (kind === 1) {
      return { event: "cmd_finished", timestamp, directive, exit_code: 0, started_at: 0, finished_at: 0 };
    }
    if (kind === 2) return { event: "job_started", timestamp };
    return { event: "cmd_output", timestamp, output: pieces() };
  });
}

/** As agents write it, or with the keys in another order and a field that nobody knows. */
function lineOf(random: (below: number) => number, event: LogEvent): string {
  if (random(5) > 0) return JSON.stringify(event);
  return JSON.stringify({ ...Object.fromEntries(Object.entries(event).reverse()), more: "aab" });
}

function line(output: string): string {
  return `{"event":"cmd_output","timestamp":5,"output":${JSON.stringify(output)}}`;
}
