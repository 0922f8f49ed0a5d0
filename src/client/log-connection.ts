/**
 * One log socket from open to close, as frames to be pulled. It acknowledges what was taken, not what arrived:
 * a reader that pauses lets at most the server's credit pile up here. It pings, and notices a server gone silent.
 */
import { socketPing } from "../protocol/log-frames.ts";
import type { Clock } from "./clock.ts";
import type { Socket, SocketEvents, SocketFactory, SocketRequest } from "./socket.ts";

export type Ending =
  | { kind: "closed"; code: number; reason: string }
  | { kind: "refused"; status: number; body: string };

const pingMilliseconds = 25_000;

export class LogConnection implements SocketEvents {
  #socket: Socket | undefined;
  #ending: Ending | undefined;
  #opened = false;
  #heard = true;
  readonly #queue: Uint8Array[] = [];
  #wake: () => void = () => undefined;
  #stopPings: () => void = () => undefined;
  /** Bytes of whole frames: arrived, taken by the reader, and acknowledged. */
  #arrived = 0;
  #taken = 0;
  #acked = 0;
  #credit = 0;

  static async open(factory: SocketFactory, request: SocketRequest, clock: Clock): Promise<LogConnection> {
    const connection = new LogConnection();
    connection.#socket = await factory(request, connection);
    connection.#stopPings = clock.every(pingMilliseconds, () => connection.#tick());
    return connection;
  }

  /** The next frame, or how it ended once every frame was taken. */
  async next(signal?: AbortSignal): Promise<Uint8Array | Ending> {
    for (;;) {
      signal?.throwIfAborted();
      const frame = this.#queue.shift();
      if (frame) return frame;
      if (this.#ending) return this.#ending;
      await this.#something(signal);
    }
  }

  /** The reader is done with a frame. */
  take(frame: Uint8Array, credit: number): void {
    this.#taken += frame.length;
    this.#credit = credit;
    if (this.#taken - this.#acked >= this.#credit / 2) this.#ack(this.#taken);
  }

  close(): void {
    this.#stopPings();
    this.#ending ??= { kind: "closed", code: 1000, reason: "" };
    this.#socket?.close();
  }

  opened(): void {
    this.#opened = true;
  }

  frame(bytes: Uint8Array): void {
    this.#heard = true;
    this.#queue.push(bytes);
    const first = this.#arrived === 0;
    this.#arrived += bytes.length;
    // The first frame is small and its acknowledgement starts the rest: it goes out at once.
    if (first) this.#ack(bytes.length);
    this.#wake();
  }

  text(): void {
    this.#heard = true;
  }

  refused(status: number, body: string): void {
    this.#end({ kind: "refused", status, body });
  }

  closed(code: number, reason: string): void {
    this.#end({ kind: "closed", code, reason });
  }

  #end(ending: Ending): void {
    this.#stopPings();
    this.#ending ??= ending;
    this.#wake();
  }

  #ack(total: number): void {
    if (total <= this.#acked || this.#ending) return;
    this.#acked = total;
    this.#socket?.send(JSON.stringify({ ack: total }));
  }

  /** Every ping also acknowledges what a shrunken credit or a quiet log would leave unsaid. */
  #tick(): void {
    if (!this.#heard || !this.#opened) {
      this.#end({ kind: "closed", code: 1006, reason: "the server went silent" });
      this.#socket?.close();
      return;
    }
    this.#heard = false;
    this.#ack(this.#taken);
    this.#socket?.send(socketPing);
  }

  #something(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#wake = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
    });
  }
}
