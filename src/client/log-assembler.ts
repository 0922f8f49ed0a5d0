/**
 * Turns a viewer's frames into the records of a log, each exactly once and in order, over any number of
 * connections. It holds the position reached; a frame that would leave a hole is an error, never a silent skip.
 */
import type { JobResult } from "../protocol/jobs.ts";
import { LogEvent } from "../protocol/log-events.ts";
import { decodeFrame, type FrameHeader } from "../protocol/log-frames.ts";
import { parseJson } from "./errors.ts";

export type LogRecord =
  | { kind: "event"; position: number; event: LogEvent }
  /** The events from `position` up to `until` never arrived. */
  | { kind: "gap"; position: number; until: number }
  | { kind: "notice"; position: number; text: string }
  /** `sha256`: of the stored events, in hex; an older server does not say it. */
  | { kind: "end"; position: number; result: JobResult; sha256?: string | undefined };

/** The stream cannot be trusted any further; what was reached so far can. */
export class BrokenLog extends Error {
  override readonly name = "BrokenLog";
}

type EventsHeader = Extract<FrameHeader, { kind: "events" }>;
const decoder = new TextDecoder();

export class LogAssembler {
  #position: number;
  #parts: Uint8Array[] = [];
  /** Notices told at the present position, and those of them that this connection has repeated. */
  #told: string[] = [];
  #repeated: string[] = [];

  constructor(from: number) {
    this.#position = from;
  }

  /** The first position that is not known yet: where to resume. */
  get position(): number {
    return this.#position;
  }

  /** A new connection begins at `position`: half-received events start again, and notices may come again. */
  begin(): void {
    this.#parts = [];
    this.#repeated = [];
  }

  take(frame: Uint8Array): { credit: number; records: LogRecord[] } {
    const { header, payload } = decode(frame);
    return { credit: header.credit, records: this.#records(header, payload) };
  }

  #records(header: FrameHeader, payload: Uint8Array): LogRecord[] {
    if (header.kind === "events") return this.#events(header, payload);
    if (header.kind === "gap") return this.#gap(header.position, header.until);
    if (header.kind === "notice") return this.#notice(header.position, header.text);
    this.#mustReach(header.position);
    return [{ kind: "end", position: header.position, result: header.result, sha256: header.sha256 }];
  }

  #events(header: EventsHeader, payload: Uint8Array): LogRecord[] {
    this.#mustReach(header.position);
    if (header.part !== undefined) this.#parts.push(payload);
    // Only the last part is counted.
    if (header.count === 0) return [];
    const bytes = header.part === undefined ? payload : concat(this.#parts);
    this.#parts = [];
    const lines = linesOf(bytes);
    if (lines.length !== header.count) throw new BrokenLog(`${lines.length} events in a frame of ${header.count}`);
    return lines.flatMap((line, index) => this.#event(header.position + index, line));
  }

  #event(position: number, line: string): LogRecord[] {
    if (position < this.#position) return [];
    const parsed = LogEvent.safeParse(parseJson(line));
    if (!parsed.success) throw new BrokenLog(`what stands at position ${position} is no event`);
    this.#advance(position + 1);
    return [{ kind: "event", position, event: parsed.data }];
  }

  #gap(position: number, until: number): LogRecord[] {
    this.#mustReach(position);
    if (until <= this.#position) return [];
    const from = Math.max(position, this.#position);
    this.#advance(until);
    return [{ kind: "gap", position: from, until }];
  }

  /** Notices have no position of their own, so a repeated one is told apart by counting. */
  #notice(position: number, text: string): LogRecord[] {
    this.#mustReach(position);
    if (position < this.#position) return [];
    this.#repeated.push(text);
    if (occurrences(this.#repeated, text) <= occurrences(this.#told, text)) return [];
    this.#told.push(text);
    return [{ kind: "notice", position, text }];
  }

  #advance(position: number): void {
    this.#position = position;
    this.#told = [];
    this.#repeated = [];
  }

  #mustReach(position: number): void {
    if (position > this.#position) {
      throw new BrokenLog(`the log goes on at position ${position}, but ${this.#position} never came`);
    }
  }
}

function decode(frame: Uint8Array): ReturnType<typeof decodeFrame> {
  try {
    return decodeFrame(frame);
  } catch (cause) {
    throw new BrokenLog("a frame that cannot be read", { cause });
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function linesOf(bytes: Uint8Array): string[] {
  const lines = decoder.decode(bytes).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function occurrences(texts: readonly string[], wanted: string): number {
  return texts.filter((text) => text === wanted).length;
}
