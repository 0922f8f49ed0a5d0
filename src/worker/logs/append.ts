/**
 * From the body of a push to events as they are stored: masked, with known fields only, in the protocol's key
 * order, one for each line whatever the line holds, so that positions stay. Pure. What is stored already is not
 * even parsed.
 */

import type * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { type CmdOutputEvent, LogEvent } from "../../protocol/log-events.ts";
import { fromUtf8, utf8 } from "../lib/bytes.ts";
import type { EpochSeconds } from "../lib/time.ts";

type CmdOutput = z.infer<typeof CmdOutputEvent>;

/** Replaces what must not be shown; answers the same string where there is nothing of that kind. */
export type Mask = (text: string) => string;

export type PushBody =
  | { readonly kind: "lines"; readonly lines: readonly Uint8Array[] }
  /** No line of it so much as begins like an event: this is not a log. */
  | { readonly kind: "malformed" }
  | { readonly kind: "too_many" };

/** The body's lines without their ends. A last line may lack its end. */
export function readPushBody(body: Uint8Array): PushBody {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < body.length; ) {
    const newline = body.indexOf(0x0a, start);
    const end = newline < 0 ? body.length : newline;
    lines.push(body.subarray(start, end));
    start = end + 1;
    if (lines.length > limits.logPushEvents) return { kind: "too_many" };
  }
  if (lines.length > 0 && !lines.some((line) => line[0] === 0x7b)) return { kind: "malformed" };
  return { kind: "lines", lines };
}

/** A position in a log. Null where it is missing or none. */
export function readPosition(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** `start_from`: no log has so many events, and what is behind it must still be a position. */
export function readStartFrom(text: string | null): number | null {
  return text !== null && /^\d{1,12}$/.test(text) ? Number(text) : null;
}

/** One line as it is stored, its line end included. */
export function encodeLine(line: Uint8Array, mask: Mask, now: EpochSeconds): Uint8Array {
  const text = fromUtf8(line);
  const plain = readPlainOutput(text);
  if (plain !== null) {
    const output = mask(plain.output);
    // The very characters that came, where they were read whole and hold nothing to hide.
    return utf8(output === plain.output ? `${text}\n` : encodeEvent({ ...plain, output }));
  }
  return utf8(encodeEvent(maskEvent(readEvent(text) ?? emptyOutput(now), mask)));
}

const plainStart = '{"event":"cmd_output","timestamp":';
const plainMiddle = ',"output":"';

/**
 * The fast path: a line that is exactly `{"event":"cmd_output","timestamp":N,"output":"…"}`. What stands between
 * is one JSON string and nothing else, so no second `output` can hide in it.
 */
function readPlainOutput(text: string): CmdOutput | null {
  if (!text.startsWith(plainStart) || !text.endsWith('"}')) return null;
  const middle = text.indexOf(plainMiddle, plainStart.length);
  if (middle < 0) return null;
  const digits = text.slice(plainStart.length, middle);
  if (!/^(?:0|[1-9]\d{0,14})$/.test(digits)) return null;
  const output = parseJson(text.slice(middle + plainMiddle.length - 1, -1));
  return typeof output === "string" ? { event: "cmd_output", timestamp: Number(digits), output } : null;
}

/** Unknown fields are stripped; of a repeated one the last counts, and the others are gone. */
function readEvent(text: string): LogEvent | null {
  const parsed = LogEvent.safeParse(parseJson(text));
  return parsed.success ? parsed.data : null;
}

function emptyOutput(now: EpochSeconds): CmdOutput {
  return { event: "cmd_output", timestamp: now, output: "" };
}

function maskEvent(event: LogEvent, mask: Mask): LogEvent {
  if (event.event === "cmd_output") return { ...event, output: mask(event.output) };
  if (event.event === "cmd_started" || event.event === "cmd_finished") {
    return { ...event, directive: mask(event.directive) };
  }
  return event;
}

/** Key order as AGENT-PROTOCOL section 5.1 has it, whatever order it came in. */
function encodeEvent(event: LogEvent): string {
  return `${JSON.stringify(ordered(event))}\n`;
}

function ordered(event: LogEvent): LogEvent {
  const { timestamp } = event;
  switch (event.event) {
    case "job_started":
      return { event: event.event, timestamp };
    case "cmd_started":
      return { event: event.event, timestamp, directive: event.directive };
    case "cmd_output":
      return { event: event.event, timestamp, output: event.output };
    case "cmd_finished": {
      const { directive, exit_code, started_at, finished_at } = event;
      return { event: event.event, timestamp, directive, exit_code, started_at, finished_at };
    }
    case "job_finished":
      return { event: event.event, timestamp, result: event.result };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
