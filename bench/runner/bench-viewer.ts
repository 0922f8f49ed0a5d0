/** A viewer that counts: no compression offered, and, of our room, acknowledging as the client does. */
import { WebSocket } from "ws";

const newline = 0x0a;

export interface BenchViewer {
  /** Events that came. */
  readonly events: number;
  /** Answers once so many events have come in all. */
  until(events: number): Promise<void>;
  close(): void;
}

class Counter implements BenchViewer {
  events = 0;
  #received = 0;
  #acked = 0;
  #wanted = Number.POSITIVE_INFINITY;
  #reached: () => void = () => undefined;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket, isOurs: boolean) {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => {
      if (isOurs) this.#take(data);
      else this.events += linesIn(data, 0);
      if (this.events >= this.#wanted) this.#reached();
    });
  }

  until(events: number): Promise<void> {
    if (this.events >= events) return Promise.resolve();
    this.#wanted = events;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  close(): void {
    this.#socket.terminate();
  }

  #take(frame: Buffer): void {
    const headerEnd = frame.indexOf(newline) + 1;
    const { credit } = JSON.parse(frame.toString("utf8", 0, headerEnd)) as { credit: number };
    // Counted as of the bare room, so that both sides cost this process the same.
    this.events += linesIn(frame, headerEnd);
    this.#received += frame.length;
    if (this.#acked > 0 && this.#received - this.#acked < credit / 2) return;
    this.#acked = this.#received;
    this.#socket.send(`{"ack":${this.#received}}`);
  }
}

function linesIn(bytes: Buffer, from: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(newline, from); at >= 0; at = bytes.indexOf(newline, at + 1)) lines++;
  return lines;
}

export function openViewer(url: URL, isOurs: boolean): Promise<BenchViewer> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.href, ["signalbox.v1"].slice(isOurs ? 0 : 1), { perMessageDeflate: false });
    const viewer = new Counter(socket, isOurs);
    socket.once("open", () => resolve(viewer));
    socket.once("error", reject);
  });
}
