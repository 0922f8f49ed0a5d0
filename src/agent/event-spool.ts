/**
 * The events that the server has not acknowledged yet, in order, and the position of the first of them. Never drops
 * one: when too many bytes wait it says so, and whoever reads the job's output must stop reading until it says so
 * no more. Only after the server closed the log (`discard`) is anything thrown away.
 */
import { limits } from "../protocol/limits.ts";

export interface Batch {
  /** Position of the batch's first event in the job's log. */
  readonly startFrom: number;
  readonly count: number;
  /** NDJSON. */
  readonly body: string;
}

export interface SpoolLimits {
  /** Above this many waiting bytes the spool is full … */
  readonly fullBytes: number;
  /** … and it is again ready for more at or below this many. */
  readonly readyBytes: number;
  readonly batchEvents: number;
  readonly batchBytes: number;
}

const spoolLimits: SpoolLimits = {
  fullBytes: 8 * 1024 * 1024,
  readyBytes: 4 * 1024 * 1024,
  batchEvents: limits.logPushEvents,
  batchBytes: 2 * 1024 * 1024,
};

export class EventSpool {
  readonly #limits: SpoolLimits;
  readonly #onFull: (full: boolean) => void;
  readonly #lines: { text: string; bytes: number }[] = [];
  #acknowledged = 0;
  #waitingBytes = 0;
  #full = false;
  #discarding = false;

  constructor(onFull: (full: boolean) => void, limits: SpoolLimits = spoolLimits) {
    this.#onFull = onFull;
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  get isFull(): boolean {
    return this.#full;
  }

  /** @param line one event and its line feed. */
  append(line: string): void {
    if (this.#discarding) return;
    const bytes = Buffer.byteLength(line);
    this.#lines.push({ text: line, bytes });
    this.#waitingBytes += bytes;
    this.#weigh();
  }

  /** The first waiting events, as many as one push may carry, but at least one. Null: nothing waits. */
  batch(): Batch | null {
    let bytes = 0;
    let count = 0;
    for (const line of this.#lines) {
      if (count > 0 && (count >= this.#limits.batchEvents || bytes + line.bytes > this.#limits.batchBytes)) break;
      bytes += line.bytes;
      count += 1;
    }
    if (count === 0) return null;
    const body = this.#lines
      .slice(0, count)
      .map((line) => line.text)
      .join("");
    return { startFrom: this.#acknowledged, count, body };
  }

  /** The server has stored this batch. */
  acknowledge(batch: Batch): void {
    if (batch.startFrom !== this.#acknowledged) throw new Error("a batch was acknowledged twice");
    for (const line of this.#lines.splice(0, batch.count)) this.#waitingBytes -= line.bytes;
    this.#acknowledged += batch.count;
    this.#weigh();
  }

  /** The log takes no more: forget what waits, and whatever will come. */
  discard(): void {
    this.#discarding = true;
    this.#lines.length = 0;
    this.#waitingBytes = 0;
    this.#weigh();
  }

  #weigh(): void {
    const full = this.#waitingBytes > (this.#full ? this.#limits.readyBytes : this.#limits.fullBytes);
    if (full === this.#full) return;
    this.#full = full;
    this.#onFull(full);
  }
}
