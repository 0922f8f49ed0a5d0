/**
 * From the lines of a push to events as they are stored: masked, with known fields only, in the protocol's key
 * order, one for each line whatever the line holds, so that positions stay. Pure. What is stored already is not
 * even parsed.
 *
 * Outputs are masked joined, from one other event to the next. What an earlier push left waiting begins the first
 * event's `output`, which an event that is no cmd_output has for this alone.
 */

import type * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { type CmdOutputEvent, LogEvent } from "../../protocol/log-events.ts";
import { fromUtf8, isUtf8, utf8 } from "../lib/bytes.ts";
import type { EpochSeconds } from "../lib/time.ts";
import { unescapeInto } from "./json-escapes.ts";
import { hasMoreValues } from "./json-values.ts";
import { type Lines, LinesJoiner, lineAt } from "./lines.ts";
import { type Matcher, maskText } from "./mask.ts";
import { type Carry, type Held, maskOutputs, nothingHeld } from "./mask-stream.ts";
import type { OutputPlace } from "./output-line.ts";
import type { PushLines } from "./push-lines.ts";

type CmdOutput = z.infer<typeof CmdOutputEvent>;

export interface Encoded {
  readonly lines: Lines;
  /** What waits for the next push. */
  readonly carry: Carry | null;
}

/** The lines from number `first` on, as they are stored; `held` waited for the first of them. */
export function encodeLines(
  lines: PushLines,
  first: number,
  { held, matcher, now }: { held: Held; matcher: Matcher; now: EpochSeconds },
): Encoded {
  const encoded = new LinesJoiner(lines);
  const bytesOf = outputReader(lines.bytes);
  let waiting = held;
  let carry: Carry | null = null;
  for (const { start, outputs, other } of stretchesOf(lines, first, now)) {
    const bytes = (at: number) => bytesOf(outputs[at]);
    // With no output before it the other event itself takes what waited for it.
    const count = Math.max(1, outputs.length);
    const masked = maskOutputs({ count, bytes }, { held: waiting, matcher, isOpen: other === null });
    for (const [at, output] of outputs.entries()) {
      const changed = masked.changed.get(at);
      // The very characters that came, where they hold nothing to hide.
      if (changed === undefined && isPlace(output)) encoded.keep(start + at);
      else encoded.put(encodeEvent(toEvent(output, changed)));
    }
    const released = outputs.length === 0 ? masked.changed.get(0) : undefined;
    if (other !== null) encoded.put(encodeOther(other, released, matcher));
    carry = masked.carry;
    waiting = nothingHeld;
  }
  return { lines: encoded.joined(), carry };
}

/** A line that says exactly this output and nothing else, or what any other line comes to. */
type Output = OutputPlace | CmdOutput;
type OtherEvent = Exclude<LogEvent, CmdOutput>;

function isPlace(line: OutputPlace | LogEvent): line is OutputPlace {
  return !("event" in line);
}

/** Outputs that follow each other, from line number `start` on, and the other event that ends them; null at the end of the push. */
interface Stretch {
  readonly start: number;
  readonly outputs: readonly Output[];
  readonly other: OtherEvent | null;
}

function stretchesOf(lines: PushLines, first: number, now: EpochSeconds): Stretch[] {
  const stretches: Stretch[] = [];
  let [start, outputs]: [number, Output[]] = [first, []];
  for (let at = first; at < lines.ends.length; at++) {
    const line = readLine(lines, at, now);
    if (isPlace(line) || line.event === "cmd_output") {
      outputs.push(line);
    } else {
      stretches.push({ start, outputs, other: line });
      [start, outputs] = [at + 1, []];
    }
  }
  return outputs.length === 0 ? stretches : [...stretches, { start, outputs, other: null }];
}

function readLine(lines: PushLines, at: number, now: EpochSeconds): Output | OtherEvent {
  const place = lines.places[at] ?? null;
  if (place !== null && (!place.isWide || isUtf8(lineAt(lines, at)))) return place;
  const event = readEvent(lineAt(lines, at)) ?? { event: "cmd_output", timestamp: now, output: "" };
  // Half a surrogate pair would join with the other half, in the next event, to what was searched for in vain.
  return event.event === "cmd_output" ? { ...event, output: event.output.toWellFormed() } : event;
}

/** Texts of the official agent fit in, and an array made for each of them would cost as much as the search. */
const scratchBytes = 4096;

/** The bytes of an output, until those of another are asked for; none of none. */
function outputReader(bytes: Uint8Array): (output: Output | undefined) => Uint8Array {
  const scratch = new Uint8Array(scratchBytes);
  return (output) => {
    if (output === undefined) return scratch.subarray(0, 0);
    if (!isPlace(output)) return utf8(output.output);
    const { start, end, hasEscapes } = output;
    if (!hasEscapes) return bytes.subarray(start, end);
    const into = end - start > scratchBytes ? new Uint8Array(end - start) : scratch;
    return into.subarray(0, unescapeInto(bytes, output, into));
  };
}

function toEvent(output: Output, changed: string | undefined): CmdOutput {
  const text = changed ?? (isPlace(output) ? "" : output.output);
  return { event: "cmd_output", timestamp: output.timestamp, output: text };
}

/** `released`: what waited for this event. */
function encodeOther(event: OtherEvent, released: string | undefined, matcher: Matcher): Uint8Array {
  const output = released === "" ? undefined : released;
  if (event.event !== "cmd_started" && event.event !== "cmd_finished") return encodeEvent({ ...event, output });
  return encodeEvent({ ...event, directive: maskText(event.directive, matcher), output });
}

/**
 * Unknown fields are stripped; of a repeated one the last counts, and the others are gone. Beside a cmd_output the
 * field `output` is ours: an agent's is unknown.
 */
function readEvent(line: Uint8Array): LogEvent | null {
  if (hasMoreValues(line, limits.logEventValues)) return null;
  const json = parseJson(fromUtf8(line));
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
