/** The log room alone on workerd, the jobs whose rooms a test asks for, and a viewer on a real socket. */
import { expect } from "vitest";
import { createTestHarness, type TestHarness } from "wrangler";
import { WebSocket } from "ws";
import { LogAssembler, type LogRecord } from "../../src/client/log-assembler.ts";
import { decodeFrame, type FrameHeader } from "../../src/protocol/log-frames.ts";
import type { RoomSummary } from "../../src/worker/logs/log-keeping.ts";
import { encodeMasks } from "../../src/worker/logs/needles.ts";
import type { Calls, TestLogRoom } from "../integration/log-room-worker/worker.ts";

process.env.WRANGLER_SEND_METRICS = "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.X_LOCAL_EXPLORER = "false";

export interface LogRooms {
  /** A job with a room of its own, armed for its first claim unless a test says otherwise. */
  newJob(options?: { masks?: Record<string, string>; armed?: boolean }): Promise<Job>;
  close(): Promise<void>;
}

/** Starts a workerd: once a test file, in `beforeAll`. */
export async function startLogRooms(): Promise<LogRooms> {
  const server = createTestHarness({ workers: [{ configPath: "test/integration/log-room-worker/wrangler.toml" }] });
  const { url } = await server.listen();
  let jobs = 0;
  return {
    async newJob({ masks = {}, armed = true } = {}) {
      const job = new Job(`job-${++jobs}`, url, server);
      if (armed) expect(await job.arm(1, masks)).toBe("armed");
      return job;
    },
    close: () => server.close(),
  };
}

/** A job's room, by name. */
export class Job {
  readonly id: string;
  readonly #base: URL;
  readonly #server: TestHarness;

  constructor(id: string, base: URL, server: TestHarness) {
    this.id = id;
    this.#base = base;
    this.#server = server;
  }

  /** Where the Worker takes what concerns this room. */
  url(name: string, query: Record<string, string | number> = {}): URL {
    const url = new URL(`/${name}?job=${this.id}`, this.#base);
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, String(value));
    return url;
  }

  async call<Name extends keyof Calls>(name: Name, body?: Calls[Name]): Promise<Answers[Name]> {
    const response = await fetch(this.url(name).href, { method: "POST", body: JSON.stringify(body ?? null) });
    return (await response.json()) as Answers[Name];
  }

  arm(claimNumber: number, masks: Record<string, string> = {}): Promise<string> {
    const values = Object.entries(masks).map(([name, value]) => ({ name, value }));
    const text = new TextDecoder().decode(encodeMasks(values));
    return this.call("arm", { claimNumber, masks: text, alarmAt: Date.now() + 3_600_000 });
  }

  async rows(sql: string): Promise<unknown[]> {
    const storage = await this.#server.getWorker().getDurableObjectStorage("TestLogRoom", { name: this.id });
    return storage.exec(sql);
  }

  evict(): Promise<void> {
    return this.#server.getWorker().evictDurableObject("TestLogRoom", { name: this.id, webSockets: "hibernate" });
  }
}

interface Answers extends Record<keyof Calls, unknown> {
  arm: string;
  notice: boolean;
  read: { events: string; next: number; isFinal: boolean };
  summary: RoomSummary;
  planted: Awaited<ReturnType<TestLogRoom["planted"]>>;
}

/** One event of output, as an agent writes it. */
export function lineOf(position: number, text = `line ${position}\n`): string {
  return `{"event":"cmd_output","timestamp":${position},"output":${JSON.stringify(text)}}\n`;
}

export function lines(from: number, until: number): string {
  return Array.from({ length: until - from }, (_, index) => lineOf(from + index)).join("");
}

/** One push as an agent makes it; answers the status. */
export async function push(job: Job, startFrom: number, body: string | Uint8Array, claim = 1): Promise<number> {
  const url = job.url("push", { start_from: startFrom, claim });
  const response = await fetch(url.href, { method: "POST", body: body as BodyInit });
  expect(await response.text()).toBe("");
  return response.status;
}

/** What a viewer shows of `lines` from and until the same positions. */
export function outputsOf(from: number, until: number): string[] {
  return Array.from({ length: until - from }, (_, index) => `line ${from + index}\n`);
}

/** A viewer on a real socket; it checks every frame by the client's own assembler and acknowledges as the client does. */
export class TestViewer {
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
    const url = job.url("view", { from, who });
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

export async function waitFor(condition: () => boolean, sentence: () => string): Promise<void> {
  const deadline = Date.now() + 8000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it never came to this: ${sentence()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
