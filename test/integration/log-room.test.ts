/** The log room by itself on the real runtime: storage, sockets, alarms, evictions. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestHarness } from "wrangler";
import { WebSocket } from "ws";
import { LogAssembler, type LogRecord } from "../../src/client/log-assembler.ts";
import { limits } from "../../src/protocol/limits.ts";
import { decodeFrame, type FrameHeader } from "../../src/protocol/log-frames.ts";
import type { EpochMs } from "../../src/worker/lib/time.ts";
import type { RoomSummary } from "../../src/worker/logs/log-keeping.ts";
import { encodeMasks } from "../../src/worker/logs/needles.ts";
import type { Calls, TestLogRoom } from "./log-room-worker/worker.ts";

process.env.WRANGLER_SEND_METRICS = "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.X_LOCAL_EXPLORER = "false";

const server = createTestHarness({ workers: [{ configPath: "test/integration/log-room-worker/wrangler.toml" }] });
let base: URL;
let jobs = 0;

beforeAll(async () => {
  base = (await server.listen()).url;
});
afterAll(() => server.close());

/** A job's room, by name. */
class Job {
  readonly id = `job-${++jobs}`;

  async call<Name extends keyof Calls>(name: Name, body?: Calls[Name]): Promise<Answers[Name]> {
    const url = new URL(`/${name}?job=${this.id}`, base);
    const response = await fetch(url.href, { method: "POST", body: JSON.stringify(body ?? null) });
    return (await response.json()) as Answers[Name];
  }

  arm(claimNumber: number, masks: Record<string, string> = {}): Promise<string> {
    const values = Object.entries(masks).map(([name, value]) => ({ name, value }));
    const text = new TextDecoder().decode(encodeMasks(values));
    return this.call("arm", { claimNumber, masks: text, alarmAt: Date.now() + 3_600_000 });
  }

  async rows(sql: string): Promise<unknown[]> {
    const storage = await server.getWorker().getDurableObjectStorage("TestLogRoom", { name: this.id });
    return storage.exec(sql);
  }

  evict(): Promise<void> {
    return server.getWorker().evictDurableObject("TestLogRoom", { name: this.id, webSockets: "hibernate" });
  }
}

interface Answers extends Record<keyof Calls, unknown> {
  arm: string;
  notice: boolean;
  read: { events: string; next: number; isFinal: boolean };
  summary: RoomSummary;
  planted: Awaited<ReturnType<TestLogRoom["planted"]>>;
}

async function newJob({
  masks = {},
  armed = true,
}: {
  masks?: Record<string, string>;
  armed?: boolean;
} = {}): Promise<Job> {
  const job = new Job();
  if (armed) expect(await job.arm(1, masks)).toBe("armed");
  return job;
}

function lineOf(position: number, text = `line ${position}\n`): string {
  return `{"event":"cmd_output","timestamp":${position},"output":${JSON.stringify(text)}}\n`;
}

function lines(from: number, until: number): string {
  return Array.from({ length: until - from }, (_, index) => lineOf(from + index)).join("");
}

async function push(job: Job, startFrom: number, body: string | Uint8Array, claim = 1): Promise<number> {
  const url = new URL(`/push?job=${job.id}&start_from=${startFrom}&claim=${claim}`, base);
  const response = await fetch(url.href, { method: "POST", body: body as BodyInit });
  expect(await response.text()).toBe("");
  return response.status;
}

/** A viewer on a real socket; it checks every frame by the client's own assembler and acknowledges as the client does. */
class TestViewer {
  readonly records: LogRecord[] = [];
  readonly headers: FrameHeader[] = [];
  readonly sizes: number[] = [];
  readonly frameBytes: number[] = [];
  readonly texts: string[] = [];
  closed: { code: number; reason: string } | undefined;
  received = 0;
  protocol = "";
  socket: WebSocket;
  readonly #assembler: LogAssembler;
  readonly #acks: boolean;
  #acked = 0;
  #closing = false;

  constructor(job: Job, from: number, { acks = true, who = "somebody", protocols = ["signalbox.v1"] } = {}) {
    const url = new URL(`/view?job=${job.id}&from=${from}&who=${who}`, base);
    this.#assembler = new LogAssembler(from);
    this.#acks = acks;
    this.socket = new WebSocket(url.href, protocols, { perMessageDeflate: false });
    this.socket.binaryType = "nodebuffer";
    this.socket.on("message", (data: Buffer, isBinary: boolean) => this.#onMessage(data, isBinary));
    this.socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    this.socket.on("error", () => undefined);
  }

  get position(): number {
    return this.#assembler.position;
  }

  get outputs(): string[] {
    return this.records.map((record) => {
      if (record.kind === "event") return record.event.output ?? record.event.event;
      if (record.kind === "gap") return `gap ${record.position}-${record.until}`;
      return record.kind === "notice" ? `notice ${record.text}` : `end ${record.position} ${record.result}`;
    });
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (!isBinary) {
      this.texts.push(data.toString());
      return;
    }
    const bytes = new Uint8Array(data);
    this.received += bytes.length;
    this.frameBytes.push(bytes.length);
    this.sizes.push(decodeFrame(bytes).payload.length);
    this.headers.push(decodeFrame(bytes).header);
    const { credit, records } = this.#assembler.take(bytes);
    this.records.push(...records);
    if (this.#acks && (this.#acked === 0 || this.received - this.#acked >= credit / 2)) this.ack(this.received);
  }

  ack(total: number): void {
    this.#acked = total;
    this.socket.send(JSON.stringify({ ack: total }));
  }

  async until(what: (viewer: TestViewer) => boolean, sentence: string): Promise<this> {
    const check = () => {
      this.#dropIfClosed();
      return what(this);
    };
    await waitFor(
      check,
      () => `${sentence}; got ${JSON.stringify(this.outputs.slice(-3))} ${JSON.stringify(this.closed)}`,
    );
    return this;
  }

  ended(): Promise<this> {
    return this.until((viewer) => viewer.records.at(-1)?.kind === "end", "the log ends");
  }

  close(): void {
    this.#closing = true;
    this.socket.close(1000);
  }

  /** The local runtime leaves the connection open behind its close frame until the room hibernates. */
  #dropIfClosed(): void {
    if (!this.#closing && this.socket.readyState === WebSocket.CLOSING) this.socket.terminate();
  }
}

async function waitFor(condition: () => boolean, sentence: () => string): Promise<void> {
  const deadline = Date.now() + 8000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it never came to this: ${sentence()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function outputsOf(from: number, until: number): string[] {
  return Array.from({ length: until - from }, (_, index) => `line ${from + index}\n`);
}

describe("viewers", () => {
  it("that join early, late and in the middle see the same events, none lost or twice, also across hibernation", async () => {
    const job = await newJob();
    const early = new TestViewer(job, 0);
    expect(await push(job, 0, lines(0, 40))).toBe(200);
    await early.until((viewer) => viewer.position === 40, "the first forty");
    const middle = new TestViewer(job, 17);
    await middle.until((viewer) => viewer.position === 40, "the rest from 17");
    const before = (await job.call("planted")).instance;
    for (let round = 0; round < 3; round++) {
      await job.evict();
      const start = 40 + round * 20;
      expect(await push(job, start - 5, lines(start - 5, start + 20))).toBe(200);
    }
    expect((await job.call("planted")).instance).not.toBe(before);
    await job.call("finish", { result: "passed", notice: "that was all" });
    const late = new TestViewer(job, 0);
    for (const [viewer, from] of [
      [early, 0],
      [middle, 17],
      [late, 0],
    ] as const) {
      await viewer.ended();
      expect(viewer.outputs).toEqual([...outputsOf(from, 100), "notice that was all", "end 100 passed"]);
    }
  });

  it("see gaps and notices in their place exactly once, also when they resume", async () => {
    const job = await newJob();
    await push(job, 0, lines(0, 3));
    await job.call("notice", { text: "first" });
    await push(job, 6, lines(6, 9));
    await job.call("notice", { text: "second" });
    const all = [...outputsOf(0, 3), "notice first", "gap 3-6", ...outputsOf(6, 9), "notice second"];
    for (let from = 0; from <= 9; from++) {
      const viewer = new TestViewer(job, from);
      const expected =
        from <= 3 ? all.slice(from) : from < 6 ? [`gap ${from}-6`, ...all.slice(5)] : all.slice(from - 1);
      await viewer.until((v) => v.outputs.length >= expected.length, `all from ${from}`);
      expect(viewer.outputs).toEqual(expected);
      viewer.close();
    }
  });

  it("beyond the head wait there, and on a room that no claim has armed", async () => {
    const job = await newJob({ armed: false });
    const viewer = new TestViewer(job, 500);
    await viewer.until((v) => v.socket.readyState === WebSocket.OPEN, "open");
    await job.arm(1);
    await push(job, 0, lines(0, 2));
    await job.call("finish", { result: "stopped", notice: null });
    await viewer.ended();
    // They are told what comes; the client's assembler drops what lies below its position.
    expect(viewer.headers.map(({ kind, position }) => `${kind} ${position}`)).toEqual(["events 0", "end 2"]);
  });

  it("get a small first frame, frames of whole events, and large events in parts", async () => {
    const job = await newJob();
    const big = "x".repeat(2_500_000);
    await push(job, 0, lines(0, 2000));
    await push(job, 2000, lineOf(2000, big) + lineOf(2001, "y".repeat(300_000)) + lineOf(2002, "z".repeat(70_000)));
    await push(job, 2003, lines(2003, 4003));
    await job.call("finish", { result: "passed", notice: null });
    for (const from of [0, 1, 1999, 2000, 2001, 2002, 2003, 4002, 4003]) {
      const viewer = await new TestViewer(job, from).ended();
      const texts = Array.from({ length: 4003 - from }, (_, index) => from + index).map((at) =>
        at === 2000 ? big : at === 2001 ? "y".repeat(300_000) : at === 2002 ? "z".repeat(70_000) : `line ${at}\n`,
      );
      expect(viewer.outputs.slice(0, -1).join("") === texts.join(""), `from ${from}`).toBe(true);
      expect(viewer.sizes[0]).toBeLessThanOrEqual(64 * 1024);
      expect(Math.max(...viewer.sizes)).toBeLessThanOrEqual(256 * 1024);
    }
  });

  it("that acknowledge nothing are sent no more than their credit and one frame, and miss nothing later", async () => {
    const job = await newJob();
    const stalled = new TestViewer(job, 0, { acks: false });
    const live = new TestViewer(job, 0);
    const wide = (at: number) => lineOf(at, `${at} ${"w".repeat(100_000)}`);
    for (let at = 0; at < 40; at += 10) {
      expect(await push(job, at, Array.from({ length: 10 }, (_, index) => wide(at + index)).join(""))).toBe(200);
    }
    await live.until((viewer) => viewer.position === 40, "the live viewer has all");
    expect(stalled.received).toBeGreaterThan(900_000);
    expect(stalled.received).toBeLessThan(1024 * 1024 + 300_000);
    stalled.ack(stalled.received);
    await stalled.until((viewer) => viewer.received > 1_500_000, "more after an acknowledgement");
    while (stalled.position < 40) {
      stalled.ack(stalled.received);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(stalled.outputs.join("")).toBe(live.outputs.join(""));
  });

  it("that owe an acknowledgement for a minute are closed resumably by the alarm, the others are not", async () => {
    const job = await newJob();
    const stalled = new TestViewer(job, 0, { acks: false });
    const good = new TestViewer(job, 0);
    await push(job, 0, lines(0, 5));
    await good.until((viewer) => viewer.position === 5, "five lines");
    const { alarm } = await job.call("planted");
    expect(alarm).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(alarm).toBeGreaterThan(Date.now() + 50_000);
    await job.call("plant", { forwardMs: 61_000 });
    await job.call("ring");
    await stalled.until((viewer) => viewer.closed?.code === 4100, "closed with 4100");
    await push(job, 5, lines(5, 7));
    await good.until((viewer) => viewer.position === 7, "goes on");
    await job.call("plant", { forwardMs: 200_000 });
    await job.call("ring");
    expect(good.closed).toBeUndefined();
  });

  it("that may no longer see the job are cut off at the next look, and nobody is while that cannot be asked", async () => {
    const job = await newJob();
    await push(job, 0, lines(0, 5));
    const barred = new TestViewer(job, 0, { who: "barred" });
    const welcome = new TestViewer(job, 0, { who: "welcome" });
    await barred.until((viewer) => viewer.position === 5, "five lines");
    await welcome.until((viewer) => viewer.position === 5, "five lines");
    // Neither owes anything: the alarm rings for the look alone.
    expect((await job.call("planted")).alarm).toBeLessThanOrEqual(Date.now() + 60_000);
    await job.call("plant", { forwardMs: 61_000, barred: null });
    await job.call("ring");
    await push(job, 5, lines(5, 7));
    await barred.until((viewer) => viewer.position === 7, "goes on");
    await job.call("plant", { forwardMs: 122_000, barred: ["barred"] });
    await job.call("ring");
    await barred.until((viewer) => viewer.closed?.code === 4004, "closed with 4004");
    await push(job, 7, lines(7, 9));
    await welcome.until((viewer) => viewer.position === 9, "goes on");
    expect(barred.position).toBe(7);
    await job.call("plant", { forwardMs: 200_000, barred: ["barred", "welcome"] });
    await job.call("ring");
    // Nobody watches any more: the slot is the deadline's again.
    expect((await job.call("planted")).alarm).toBeGreaterThan(Date.now() + 3_000_000);
  });

  it("that send anything but an honest acknowledgement are closed", async () => {
    const job = await newJob();
    await push(job, 0, lines(0, 2));
    for (const [message, code] of [
      ['{"ack":100000}', 1008],
      ['{"ack":-1}', 1008],
      ["hello", 1008],
      [Buffer.from("{}"), 1008],
      ["x".repeat(1025), 1009],
      [Buffer.alloc(5000), 1009],
    ] as const) {
      const viewer = new TestViewer(job, 0, { acks: false });
      await viewer.until((v) => v.received > 0, "a frame");
      viewer.socket.send(message);
      await viewer.until((v) => v.closed?.code === code, `closed with ${code}`);
    }
  });

  it("are pinged back without waking the room, and echoed exactly one subprotocol", async () => {
    const job = await newJob();
    const viewer = new TestViewer(job, 0, { protocols: ["signalbox.v1", "signalbox.ticket.abc"] });
    await viewer.until((v) => v.socket.readyState === WebSocket.OPEN, "open");
    expect(viewer.socket.protocol).toBe("signalbox.v1");
    viewer.socket.send("ping");
    await viewer.until((v) => v.texts[0] === "pong", "pong");
    const bare = new TestViewer(job, 0, { protocols: [] });
    await bare.until((v) => v.socket.readyState === WebSocket.OPEN, "open without a subprotocol");
    expect(bare.socket.protocol).toBe("");
  });

  it("are at most ten per principal, and a place that was left can be taken", async () => {
    const job = await newJob();
    const ten = Array.from({ length: 10 }, () => new TestViewer(job, 0, { who: "ann" }));
    for (const viewer of ten) await viewer.until((v) => v.socket.readyState === WebSocket.OPEN, "open");
    const eleventh = new TestViewer(job, 0, { who: "ann" });
    await eleventh.until((v) => v.closed?.code === 4029, "refused with 4029");
    const other = new TestViewer(job, 0, { who: "bob" });
    await push(job, 0, lines(0, 1));
    await other.until((v) => v.position === 1, "somebody else may watch");
    expect(eleventh.received).toBe(0);
    ten[0]?.close();
    await ten[0]?.until((v) => v.closed !== undefined, "closed");
    await new TestViewer(job, 0, { who: "ann" }).until((v) => v.position === 1, "a place is free");
  });
});

describe("a flood of sockets", () => {
  it("is told to come later by its code, while pushes are stored and another viewer sees every line", async () => {
    const job = await newJob();
    const honest = new TestViewer(job, 0, { who: "honest" });
    await honest.until((v) => v.socket.readyState === WebSocket.OPEN, "open");
    const codes = new Set<number | undefined>();
    const flood = async () => {
      for (let round = 0; round < 13; round++) {
        const wave = Array.from({ length: 10 }, () => new TestViewer(job, 0, { who: "mallory", acks: false }));
        for (const viewer of wave) {
          await viewer.until((v) => v.socket.readyState === WebSocket.OPEN || v.closed !== undefined, "answered");
          viewer.close();
          await viewer.until((v) => v.closed !== undefined, "closed");
          codes.add(viewer.closed?.code);
        }
      }
    };
    const produce = async () => {
      for (let at = 0; at < 20; at++) expect(await push(job, at * 10, lines(at * 10, at * 10 + 10))).toBe(200);
    };
    await Promise.all([flood(), produce()]);
    await honest.until((v) => v.position === 200, "every line");
    expect(honest.closed).toBeUndefined();
    expect(codes).toContain(4102);
    await new TestViewer(job, 0, { who: "newcomer" }).until((v) => v.position === 200, "a newcomer sees all");
  });
});

describe("a flood of messages", () => {
  it("ends at the edge by its code: the room hears of few, stores pushes, and another viewer sees every line", async () => {
    const job = await newJob();
    expect(await push(job, 0, lines(0, 10))).toBe(200);
    const honest = new TestViewer(job, 0, { who: "honest" });
    await honest.until((v) => v.position === 10, "the first lines");
    for (const message of ['{"ack":0}', "ping ", "x".repeat(2000)]) {
      const mallory = new TestViewer(job, 0, { who: "mallory", acks: false });
      await mallory.until((v) => v.position === 10, "the first lines");
      for (let sent = 0; sent < 20_000; sent++) mallory.socket.send(message);
      await mallory.until((v) => v.closed !== undefined, "cut off");
      expect(mallory.closed?.code).toBe({ '{"ack":0}': 4103, "ping ": 1008 }[message] ?? 1009);
    }
    expect(await push(job, 10, lines(10, 20))).toBe(200);
    await honest.until((v) => v.position === 20, "every line");
    expect(honest.closed).toBeUndefined();
    expect((await job.call("planted")).heard).toBeLessThan(60);
  });

  it("is not what a viewer sends that acknowledges each of many frames", async () => {
    const job = await newJob();
    const viewer = new TestViewer(job, 0, { acks: false });
    await viewer.until((v) => v.socket.readyState === WebSocket.OPEN, "open");
    for (let at = 0; at < 60; at++) {
      expect(await push(job, at, lineOf(at))).toBe(200);
      await viewer.until((v) => v.position === at + 1, "the line");
      viewer.ack(viewer.received);
    }
    expect(viewer.closed).toBeUndefined();
  });
});

describe("what waits unacknowledged", () => {
  it("is bounded for one principal over all its sockets on all logs, and nobody else's", async () => {
    const jobs = await Promise.all([newJob(), newJob()]);
    for (const job of jobs) {
      for (let at = 0; at < 3; at++) expect(await push(job, at, lineOf(at, "x".repeat(900 * 1024)))).toBe(200);
    }
    const hoarders = jobs.flatMap((job) =>
      Array.from({ length: 10 }, () => new TestViewer(job, 0, { who: "hoarder", acks: false })),
    );
    const isCutOff = (viewer: TestViewer) => viewer.closed?.code === 4100;
    await waitFor(
      () => hoarders.some(isCutOff),
      () => "one socket too many is cut off",
    );
    for (const job of jobs) {
      await new TestViewer(job, 0, { who: "honest" }).until((viewer) => viewer.position === 3, "everything");
    }
    const waiting = hoarders.filter((viewer) => !isCutOff(viewer));
    expect(waiting.length).toBeGreaterThan(5);
    // However they go, what they left waiting is counted no more.
    for (const [at, viewer] of hoarders.entries()) at % 2 === 0 ? viewer.close() : viewer.socket.terminate();
    const isFree = async () => {
      const again = await new TestViewer(jobs[0] as Job, 0, { who: "hoarder" }).until(
        (viewer) => viewer.position === 3 || viewer.closed !== undefined,
        "everything, or cut off",
      );
      again.close();
      return again.position;
    };
    await expect.poll(isFree).toBe(3);
  });
});

describe("a viewer that acknowledges what it does not read", () => {
  it("is closed before what it does not take fills the memory", async () => {
    const job = await newJob();
    for (let at = 0; at < 40; at++) expect(await push(job, at, lineOf(at, "x".repeat(1_000_000)))).toBe(200);
    const honest = await new TestViewer(job, 0, { who: "honest" }).until((v) => v.position === 40, "everything");
    const liar = new TestViewer(job, 0, { who: "liar", acks: false });
    await liar.until((v) => v.received > 0, "the first frame");
    liar.socket.pause();
    // It knows the frames' sizes from another socket.
    for (let total = 0, at = 0; at < honest.frameBytes.length; at++) {
      total += honest.frameBytes[at] ?? 0;
      liar.ack(total);
      await job.call("planted");
    }
    liar.socket.resume();
    await liar.until((v) => v.closed !== undefined, "closed");
    expect(liar.closed?.code).toBe(4100);
    expect(liar.received).toBeLessThan(honest.received);
  });
});

/** A client that says what it likes: a mask of zeros leaves the payload as it is (RFC 6455 section 5.3). */
async function rawClient(job: Job, who: string): Promise<Socket> {
  const socket = connect({ host: base.hostname, port: Number(base.port) });
  const headers = ["Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  socket.write(`GET /view?job=${job.id}&from=0&who=${who} HTTP/1.1\r\n${[...headers, key].join("\r\n")}\r\n\r\n`);
  await once(socket, "data");
  return socket;
}

describe("a viewer whose last words are no text", () => {
  it("leaves its place to the next: no close is answered with more than a close may carry", async () => {
    const job = await newJob();
    expect(await push(job, 0, lines(0, 1))).toBe(200);
    const clients = await Promise.all(
      Array.from({ length: limits.viewersPerPrincipal }, () => rawClient(job, "mumbler")),
    );
    const words = Buffer.alloc(123, 0xff);
    clients[0]?.write(Buffer.concat([Buffer.from([0x88, 0x80 | 125, 0, 0, 0, 0, 0x03, 0xe8]), words]));
    const next = async () => {
      const viewer = new TestViewer(job, 0, { who: "mumbler" });
      await viewer.until((v) => v.position === 1 || v.closed !== undefined, "answered");
      viewer.close();
      return viewer.position;
    };
    await expect.poll(next).toBe(1);
    for (const client of clients) client.destroy();
  });
});

describe("pushes", () => {
  it("mask secrets, before and after an eviction, and open the masks once for each", async () => {
    const job = await newJob({ masks: { TOKEN: "hunter2hunter2" } });
    expect(await push(job, 0, lineOf(0, "a hunter2hunter2 b"))).toBe(200);
    expect(await push(job, 1, lineOf(1, Buffer.from("hunter2hunter2").toString("hex")))).toBe(200);
    expect((await job.call("planted")).opened).toBe(1);
    await job.evict();
    expect(await push(job, 2, lineOf(2, "c hunter2hunter2 d"))).toBe(200);
    expect((await job.call("planted")).opened).toBe(1);
    const page = await job.call("read", { from: 0, maxBytes: 100_000 });
    expect(page.events).toBe(lineOf(0, "a *** b") + lineOf(1, "***") + lineOf(2, "c *** d"));
    expect(page).toMatchObject({ next: 3, isFinal: false });
  });

  it("mask a secret that they cut, also when masks are added in its middle, and keep nothing of it in clear", async () => {
    const job = await newJob({ masks: { TOKEN: "hunter2hunter2" } });
    const storage = await server.getWorker().getDurableObjectStorage("TestLogRoom", { name: job.id });
    expect(await push(job, 0, lineOf(0, "a hunter2"))).toBe(200);
    expect(await storage.exec("SELECT needle, depth, masked FROM carry")).toEqual([{ needle: 0, depth: 7, masked: 0 }]);
    expect(await job.arm(1, { LATER: "sesame-open", TOKEN: "hunter2hunter2" })).toBe("armed");
    expect(await push(job, 1, lineOf(1, "hunter2 b sesame-"))).toBe(200);
    await job.evict();
    expect(await push(job, 2, lineOf(2, "open c hunter2h"))).toBe(200);
    const page = await job.call("read", { from: 0, maxBytes: 100_000 });
    expect(page.events).toBe(lineOf(0, "a ") + lineOf(1, "*** b ") + lineOf(2, "*** c "));
    await job.call("finish", { result: "failed", notice: "the agent was lost" });
    const viewer = await new TestViewer(job, 2).ended();
    const heldBack = "notice The output ends in what may be the beginning of a secret: ***";
    expect(viewer.outputs).toEqual(["*** c ", heldBack, "notice the agent was lost", "end 3 failed"]);
    expect(await storage.exec("SELECT * FROM carry")).toEqual([]);
  });

  it("of a higher claim cannot read what waited under the masks of a lower one, and mark it", async () => {
    const job = await newJob({ masks: { TOKEN: "hunter2hunter2" } });
    expect(await push(job, 0, lineOf(0, "a hunter2"))).toBe(200);
    expect(await job.arm(2, { OTHER: "something-else" })).toBe("armed");
    expect(await push(job, 1, lineOf(1, " b"), 2)).toBe(200);
    const page = await job.call("read", { from: 0, maxBytes: 100_000 });
    expect(page.events).toBe(lineOf(0, "a ") + lineOf(1, "*** b"));
  });

  it("store nothing while the masks cannot be opened", async () => {
    const job = await newJob({ masks: { TOKEN: "hunter2hunter2" } });
    await job.call("plant", { masksOpen: false });
    expect(await push(job, 0, lineOf(0, "hunter2hunter2"))).toBe(503);
    expect((await job.call("read", { from: 0, maxBytes: 1000 })).next).toBe(0);
    await job.call("plant", { masksOpen: true });
    expect(await push(job, 0, lineOf(0, "hunter2hunter2"))).toBe(200);
  });

  it("of a lower claim are refused once a higher one was armed, as is arming for it", async () => {
    const job = await newJob();
    expect(await push(job, 0, lines(0, 1))).toBe(200);
    expect(await job.arm(2)).toBe("armed");
    expect(await job.arm(2)).toBe("armed");
    expect(await job.arm(1)).toBe("stale_claim");
    expect(await push(job, 1, lines(1, 2), 1)).toBe(422);
    expect(await push(job, 1, lines(1, 2), 2)).toBe(200);
    expect(await push(job, 1, lines(1, 2), 3)).toBe(422);
  });

  it("to a finished log are refused, its masks are gone, and the first result stands", async () => {
    const job = await newJob({ masks: { TOKEN: "hunter2hunter2" } });
    await push(job, 0, lines(0, 2));
    await job.call("finish", { result: "failed", notice: "the agent was lost" });
    await job.call("finish", { result: "passed", notice: "again" });
    expect(await push(job, 0, lines(0, 2))).toBe(422);
    expect(await push(job, 2, lines(2, 3))).toBe(422);
    expect(await job.call("notice", { text: "too late" })).toBe(false);
    expect(await job.arm(3)).toBe("closed");
    const storage = await server.getWorker().getDurableObjectStorage("TestLogRoom", { name: job.id });
    expect(await storage.exec("SELECT count(*) AS masks FROM masks")).toEqual([{ masks: 0 }]);
    const viewer = await new TestViewer(job, 1).ended();
    expect(viewer.outputs).toEqual(["line 1\n", "notice the agent was lost", "end 2 failed"]);
    expect((await job.call("planted")).alarm).toSatisfy((at: number | null) => at === null || at < Date.now() + 61_000);
  });

  it("over the caps are 422, never 413, with one visible notice each, and store nothing", async () => {
    const job = await newJob();
    expect(await push(job, 0, lines(0, 2001))).toBe(422);
    expect(await push(job, 0, lines(0, 2001))).toBe(422);
    expect(await push(job, 0, lineOf(0, "a".repeat(17 * 1024 * 1024)))).toBe(422);
    await job.call("plant", { logBytesMax: 1000 });
    expect(await push(job, 0, lines(0, 5))).toBe(200);
    expect(await push(job, 5, lines(5, 50))).toBe(422);
    expect(await push(job, 5, lines(5, 6))).toBe(422);
    expect(await push(job, 3, lines(3, 5))).toBe(200);
    await job.call("finish", { result: "passed", notice: null });
    const viewer = await new TestViewer(job, 0).ended();
    expect(viewer.outputs.map((text) => text.replace(/(notice The \w+) .*/, "$1"))).toEqual([
      "notice The agent",
      "notice The agent",
      ...outputsOf(0, 5),
      "notice The log",
      "end 5 passed",
    ]);
  });

  it("that are malformed are 400, and an event of 10 MB is taken whole", async () => {
    const job = await newJob();
    expect(await push(job, 0, "<html></html>")).toBe(400);
    expect(await push(job, Number.NaN, lines(0, 1))).toBe(400);
    expect(await push(job, -1, lines(0, 1))).toBe(400);
    expect(await push(job, 0, lineOf(0, "a".repeat(10_000_000)))).toBe(200);
    const page = await job.call("read", { from: 0, maxBytes: 1000 });
    expect(page.events.length).toBe(lineOf(0, "a".repeat(10_000_000)).length);
  });

  it("are judged by what holds when their body has come: other masks, another claim, the job's end", async () => {
    for (const [change, expected, stored] of [
      [(job: Job) => job.arm(1, { TOKEN: "hunter2hunter2", LATER: "sesame-open" }), 200, "*** ***"],
      [(job: Job) => job.arm(2), 422, null],
      [(job: Job) => job.call("finish", { result: "stopped", notice: null }), 422, null],
    ] as const) {
      const job = await newJob({ masks: { TOKEN: "hunter2hunter2" } });
      expect(await push(job, 0, "")).toBe(200);
      const line = new TextEncoder().encode(lineOf(0, "hunter2hunter2 sesame-open"));
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          controller.enqueue(line.slice(0, 20));
          await new Promise((resolve) => setTimeout(resolve, 100));
          await change(job);
          controller.enqueue(line.slice(20));
          controller.close();
        },
      });
      const url = new URL(`/push?job=${job.id}&start_from=0&claim=1`, base);
      const response = await fetch(url.href, { method: "POST", body, duplex: "half" } as RequestInit);
      expect(response.status).toBe(expected);
      const { events } = await job.call("read", { from: 0, maxBytes: 1000 });
      expect(events).toBe(stored === null ? "" : lineOf(0, stored));
    }
  });

  it("that come at once from a retrying agent are stored once", async () => {
    const job = await newJob({ masks: { TOKEN: "hunter2hunter2" } });
    const statuses = await Promise.all(Array.from({ length: 8 }, (_, index) => push(job, 0, lines(0, 100 + index))));
    expect(new Set(statuses)).toEqual(new Set([200]));
    await job.call("finish", { result: "passed", notice: null });
    const viewer = await new TestViewer(job, 0).ended();
    expect(viewer.outputs).toEqual([...outputsOf(0, 107), "end 107 passed"]);
  });
});

describe("the deadline", () => {
  it("is asked for when it is due, put off as told, tried again when it could not be asked, and ends the log", async () => {
    const job = await newJob({ armed: false });
    await job.call("setAlarm", { at: Date.now() + 60_000 });
    await job.call("ring");
    expect((await job.call("planted")).asked).toEqual([]);
    await job.call("plant", { forwardMs: 60_000 });
    await job.call("ring");
    expect((await job.call("planted")).asked).toEqual([job.id]);
    const later = (Date.now() + 7_200_000) as EpochMs;
    await job.call("plant", { forwardMs: 80_000, verdict: { kind: "wait", until: later } });
    await job.call("ring");
    expect(await job.call("planted")).toMatchObject({ asked: [job.id, job.id], alarm: later });
    // From here on only: who watches is looked at every minute, in the same slot.
    const viewer = new TestViewer(job, 0);
    await job.call("plant", {
      forwardMs: 7_200_000,
      verdict: { kind: "finished", result: "failed", notice: "too long" },
    });
    await job.call("ring");
    await viewer.ended();
    expect(viewer.outputs).toEqual(["notice too long", "end 0 failed"]);
    await job.call("setAlarm", { at: later });
    await job.call("ring");
    expect((await job.call("planted")).asked.length).toBe(3);
  });

  it("is not put off by who asks for a later one: a second stop, or the fetch of a job that is being stopped", async () => {
    const job = await newJob({ armed: false });
    const soon = (Date.now() + 60_000) as EpochMs;
    await job.call("setAlarm", { at: soon });
    await job.call("setAlarm", { at: soon + 60_000 });
    await job.arm(1);
    expect((await job.call("planted")).alarm).toBe(soon);
  });

  it("rings by itself", async () => {
    const job = await newJob();
    await job.call("plant", { verdict: { kind: "finished", result: "stopped", notice: null } });
    await job.call("setAlarm", { at: Date.now() + 300 });
    const viewer = await new TestViewer(job, 0).ended();
    expect(viewer.outputs).toEqual(["end 0 stopped"]);
  });
});

describe("a final log", () => {
  const dayMs = 86_400_000;

  it("is kept while its project says so or cannot be asked, then deleted: its viewers go, its storage is free", async () => {
    const job = await newJob();
    const wide = Array.from({ length: 20 }, (_, at) => lineOf(at, "w".repeat(100_000))).join("");
    await push(job, 0, wide);
    await job.call("finish", { result: "passed", notice: "that was all" });
    const sha256 = createHash("sha256").update(wide).digest("hex");
    await job.evict();
    const { closedAt, ...final } = (await job.call("summary")).final ?? { closedAt: 0 };
    expect(final).toEqual({ result: "passed", bytes: wide.length, sha256 });
    const ringAfter = async (days: number, retentionDays: number | null) => {
      await job.call("plant", { forwardMs: closedAt + days * dayMs - Date.now() + 1000, retentionDays });
      await job.call("ring");
      return job.call("planted");
    };
    for (const [days, retentionDays] of [
      [1, 30],
      [29, 30],
      [31, null],
      [32, 60],
    ] as const) {
      expect((await ringAfter(days, retentionDays)).deletions).toEqual([]);
      expect(await job.call("summary")).toMatchObject({
        notices: [{ position: 20, text: "that was all" }],
        final: { sha256 },
      });
      await job.evict();
    }
    const late = new TestViewer(job, 0, { acks: false });
    await late.until((viewer) => viewer.sizes.length > 0, "the first frame");
    const { deletions, alarm } = await ringAfter(34, 33);
    expect(deletions).toMatchObject([{ sha256 }]);
    expect(alarm).toBeNull();
    await late.until((viewer) => viewer.closed?.code === 4004, "closed as gone");
    for (const evicts of [false, true]) {
      if (evicts) await job.evict();
      expect(await push(job, 0, lines(0, 1))).toBe(422);
      expect(await job.call("summary")).toEqual({ events: 0, notices: [], final: null });
      expect(await job.rows("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'")).toEqual([]);
    }
  });

  it("is looked after once a day at least, so that a lowered retention is noticed", async () => {
    const job = await newJob();
    await push(job, 0, lines(0, 1));
    await job.call("finish", { result: "failed", notice: null });
    const { alarm } = await job.call("planted");
    expect((alarm ?? 0) - Date.now()).toBeLessThan(dayMs);
    await job.call("plant", { forwardMs: dayMs });
    await job.call("ring");
    const next = await job.call("planted");
    expect((next.alarm ?? 0) - Date.now() - dayMs).toBeLessThan(dayMs);
    expect((next.alarm ?? 0) - Date.now() - dayMs).toBeGreaterThan(0);
  });
});
