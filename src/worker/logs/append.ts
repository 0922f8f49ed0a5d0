/**
 * From the body of a push to events as they are stored: masked, with known fields only, in the protocol's key
 * order, one for each line whatever the line holds, so that positions stay. Pure. What is stored already is not
 * even parsed.
 *
 * Outputs are masked joined, from one other event to the next. What an earlier push left waiting begins the first
 * event's `output`, which an event that is no cmd_output has for this alone.
 */

import type * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { type CmdOutputEvent, LogEvent } from "../../protocol/log-events.ts";
import { concat, fromUtf8, fromUtf8Strict, joinedView, utf8 } from "../lib/bytes.ts";
import type { EpochSeconds } from "../lib/time.ts";
import { type Matcher, maskText } from "./mask.ts";
import { type Carry, type Held, maskOutputs, nothingHeld } from "./mask-stream.ts";

type CmdOutput = z.infer<typeof CmdOutputEvent>;

export type PushBody =
  | { readonly kind: "lines"; readonly lines: readonly Uint8Array[] }
  /** No line of it so much as begins like an event: this is not a log. */
  | { readonly kind: "malformed" }
  | { readonly kind: "too_many" };

/** The body's lines, each with its end, which the last one may lack. */
export function readPushBody(body: Uint8Array): PushBody {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < body.length; ) {
    const newline = body.indexOf(0x0a, start);
    lines.push(newline < 0 ? concat(body.subarray(start), lineEnd) : body.subarray(start, newline + 1));
    start = newline < 0 ? body.length : newline + 1;
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

export interface EncodedLines {
  /** Each with its line end. */
  readonly lines: readonly Uint8Array[];
  /** What waits for the next push. */
  readonly carry: Carry | null;
}

/** Lines, each with its end, as they are stored; `held` waited for the first of them. */
export function encodeLines(
  lines: readonly Uint8Array[],
  { held, matcher, now }: { held: Held; matcher: Matcher; now: EpochSeconds },
): EncodedLines {
  const encoded: Uint8Array[] = [];
  let waiting = held;
  let carry: Carry | null = null;
  const texts = strictTexts(lines);
  for (const { outputs, other } of stretchesOf(lines.map((line, at) => readLine(line, texts[at] ?? null, now)))) {
    const plain = outputs.map(({ event }) => event.output);
    // With no output before it the other event itself takes what waited for it.
    const isBare = plain.length === 0;
    const masked = maskOutputs(isBare ? [""] : plain, { held: waiting, matcher, isOpen: other === null });
    for (const [at, line] of outputs.entries()) encoded.push(encodeOutput(line, masked.outputs[at] ?? ""));
    if (other !== null) encoded.push(encodeOther(other, isBare ? (masked.outputs[0] ?? "") : "", matcher));
    carry = masked.carry;
    waiting = nothingHeld;
  }
  return { lines: encoded, carry };
}

type OtherEvent = Exclude<LogEvent, CmdOutput>;

interface ReadLine<Event extends LogEvent = LogEvent> {
  readonly event: Event;
  /** Its line, where that says exactly this event and nothing else. */
  readonly exact: Uint8Array | null;
}

/** Outputs that follow each other, and the other event that ends them; null at the end of the push. */
interface Stretch {
  readonly outputs: readonly ReadLine<CmdOutput>[];
  readonly other: OtherEvent | null;
}

function stretchesOf(lines: readonly ReadLine[]): Stretch[] {
  const stretches: Stretch[] = [];
  let outputs: ReadLine<CmdOutput>[] = [];
  for (const { event, exact } of lines) {
    if (event.event === "cmd_output") {
      outputs.push({ event, exact });
    } else {
      stretches.push({ outputs, other: event });
      outputs = [];
    }
  }
  return outputs.length === 0 ? stretches : [...stretches, { outputs, other: null }];
}

const lineEnd = Uint8Array.of(0x0a);

function encodeOutput({ event, exact }: ReadLine<CmdOutput>, output: string): Uint8Array {
  // The very characters that came, where they hold nothing to hide.
  if (exact !== null && output === event.output) return exact;
  return encodeEvent({ ...event, output });
}

/** `released`: what waited for this event. */
function encodeOther(event: OtherEvent, released: string, matcher: Matcher): Uint8Array {
  const output = released === "" ? undefined : released;
  if (event.event !== "cmd_started" && event.event !== "cmd_finished") return encodeEvent({ ...event, output });
  return encodeEvent({ ...event, directive: maskText(event.directive, matcher), output });
}

/** `text`: the line's, where it is UTF-8. */
function readLine(line: Uint8Array, text: string | null, now: EpochSeconds): ReadLine {
  const output = text === null ? null : readPlainOutput(text);
  // Half a surrogate pair would join with the other half, in the next event, to what was searched for in vain.
  if (output?.output.isWellFormed()) return { event: output, exact: line };
  const event = output ?? readEvent(fromUtf8(line)) ?? { event: "cmd_output", timestamp: now, output: "" };
  if (event.event !== "cmd_output") return { event, exact: null };
  return { event: { ...event, output: event.output.toWellFormed() }, exact: null };
}

/**
 * The fast path: a line that is exactly `{"event":"cmd_output","timestamp":N,"output":"…"}`. What stands between
 * is one JSON string and nothing else, so no second `output` can hide in it.
 */
const plainOutput = /^\{"event":"cmd_output","timestamp":(0|[1-9]\d{0,14}),"output":("[ !#-[\]-\uffff]*(?:"|\\.*"))\}$/;

function readPlainOutput(text: string): CmdOutput | null {
  const [, digits, json] = plainOutput.exec(text) ?? [];
  if (digits === undefined || json === undefined) return null;
  // Without an escape the string says itself; with one only a parser can tell where it ends.
  const output = json.includes("\\") ? parseJson(json) : json.slice(1, -1);
  return typeof output === "string" ? { event: "cmd_output", timestamp: Number(digits), output } : null;
}

/** Each line's text without its end, null where it is no UTF-8. All are decoded at once: a call for each costs more than its bytes. */
function strictTexts(lines: readonly Uint8Array[]): (string | null)[] {
  const whole = strictText(joinedView(lines));
  return whole === null ? lines.map((line) => strictText(line.subarray(0, -1))) : whole.split("\n");
}

function strictText(bytes: Uint8Array): string | null {
  try {
    return fromUtf8Strict(bytes);
  } catch {
    return null;
  }
}

/**
 * Unknown fields are stripped; of a repeated one the last counts, and the others are gone. Beside a cmd_output the
 * field `output` is ours: an agent's is unknown.
 */
function readEvent(text: string): LogEvent | null {
  const json = parseJson(text);
  if (typeof json === "object" && json !== null && "event" in json && json.event !== "cmd_output") {
    Reflect.deleteProperty(json, "output");
  }
  const parsed = LogEvent.safeParse(json);
  return parsed.success ? parsed.data : null;
}

/** Key order as AGENT-PROTOCOL section 5.1 has it, whatever order it came in; our own `output` stands last. */
function encodeEvent(event: LogEvent): Uint8Array {
  return utf8(`${JSON.stringify(ordered(event))}\n`);
}

function ordered(event: LogEvent): LogEvent {
  const { timestamp, output } = event;
  switch (event.event) {
    case "job_started":
      return { event: event.event, timestamp, output };
    case "cmd_started":
      return { event: event.event, timestamp, directive: event.directive, output };
    case "cmd_output":
      return { event: event.event, timestamp, output: event.output };
    case "cmd_finished": {
      const { directive, exit_code, started_at, finished_at } = event;
      return { event: event.event, timestamp, directive, exit_code, started_at, finished_at, output };
    }
    case "job_finished":
      return { event: event.event, timestamp, result: event.result, output };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
