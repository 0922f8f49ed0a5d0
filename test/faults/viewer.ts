/** A viewer that resumes whenever its connection breaks, and remembers what it was shown, each record as one text. */
import { WebSocket } from "ws";
import { LogAssembler, type LogRecord } from "../../src/client/log-assembler.ts";
import { pause, type World } from "./world.ts";

export class FaultViewer {
  readonly shown: string[] = [];
  /** What a viewer must never see: a hole, an event twice, a frame that is none. */
  broken: string | null = null;
  isEnded = false;
  connections = 0;
  readonly #world: World;
  readonly #path: string;
  readonly #assembler: LogAssembler;
  #socket: WebSocket | null = null;
  #received = 0;
  #acked = 0;

  constructor(world: World, job: string, { from = 0, who = "viewer" } = {}) {
    this.#world = world;
    this.#path = `/view?job=${job}&who=${who}`;
    this.#assembler = new LogAssembler(from);
    this.#connect();
  }

  get position(): number {
    return this.#assembler.position;
  }

  /** The network breaks: nothing more comes over the present connection. */
  cut(): void {
    this.#socket?.terminate();
  }

  async ended(timeoutMs = 10_000): Promise<this> {
    const deadline = Date.now() + timeoutMs;
    while (!this.isEnded && this.broken === null && Date.now() < deadline) {
      // The local runtime leaves the connection open behind its close frame.
      if (this.#socket?.readyState === WebSocket.CLOSING) this.cut();
      await pause(10);
    }
    if (!this.isEnded) this.broken ??= `never saw the end; stands at ${this.position}`;
    this.close();
    return this;
  }

  close(): void {
    this.isEnded = true;
    this.#socket?.terminate();
  }

  #connect(): void {
    this.connections++;
    [this.#received, this.#acked] = [0, 0];
    this.#assembler.begin();
    const url = this.#world.at(`${this.#path}&from=${this.position}`);
    const socket = new WebSocket(url, ["signalbox.v1"], { perMessageDeflate: false });
    this.#socket = socket;
    socket.on("message", (data: Buffer) => this.#take(new Uint8Array(data)));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (!this.isEnded && this.broken === null) setTimeout(() => this.#connect(), 25);
    });
  }

  #take(frame: Uint8Array): void {
    if (this.isEnded || this.broken !== null) return;
    try {
      const { credit, records } = this.#assembler.take(frame);
      for (const record of records) this.shown.push(textOf(record));
      this.isEnded = records.at(-1)?.kind === "end";
      this.#received += frame.length;
      if (this.#acked > 0 && this.#received - this.#acked < credit / 2) return;
      this.#acked = this.#received;
      this.#socket?.send(JSON.stringify({ ack: this.#received }));
    } catch (cause) {
      this.broken = cause instanceof Error ? cause.message : String(cause);
    }
  }
}

function textOf(record: LogRecord): string {
  switch (record.kind) {
    case "event":
      return `${record.position} ${record.event.output ?? ""}`;
    case "gap":
      return `gap ${record.position}-${record.until}`;
    case "notice":
      return `notice ${record.text}`;
    case "end":
      return `end ${record.position} ${record.result}`;
  }
}
