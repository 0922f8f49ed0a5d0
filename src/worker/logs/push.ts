/**
 * What becomes of one push (DESIGN section 10, "Append"): decided from the room's state and the body alone. Pure.
 * Of what it stores everything is in the plan; the room writes it in one stretch and then answers.
 */
import { limits } from "../../protocol/limits.ts";
import type { EpochSeconds } from "../lib/time.ts";
import { encodeLines } from "./append.ts";
import type { Matcher } from "./mask.ts";
import { type Carry, givenUp, resumed } from "./mask-stream.ts";
import { readPushBody } from "./push-lines.ts";
import { type LogRecord, packRecords } from "./records.ts";
import type { ArmedJob, RoomState } from "./room-state.ts";

export interface Push {
  readonly startFrom: number;
  readonly claimNumber: number;
  /** Null: it was longer than a push may be, and was not read to its end. */
  readonly body: Uint8Array | null;
}

export type PushPlan =
  /** 200, `records` stored; none where everything was stored before. `carry` is what masking holds back from then on. */
  | { readonly kind: "stored"; readonly records: readonly LogRecord[]; readonly carry: Carry | null }
  /** 400 */
  | { readonly kind: "malformed" }
  /** 422; a notice says it in the log, once. `fills`: nothing more will be stored. */
  | { readonly kind: "refused"; readonly notice: string | null; readonly fills: boolean };

export function planPush(
  state: RoomState,
  push: Push,
  context: { matcher: Matcher; now: EpochSeconds; logBytesMax: number },
): PushPlan {
  if (jobTaking(state, push.claimNumber) === null) return { kind: "refused", notice: null, fills: false };
  if (push.body === null) return refusedPush(`more than ${mebibytes(limits.logPushBytes)}`);
  const body = readPushBody(push.body);
  if (body.kind === "malformed") return { kind: "malformed" };
  if (body.kind === "too_many") return refusedPush(`more than ${limits.logPushEvents} events`);
  const count = body.lines.ends.length;
  const isNew = push.startFrom + count > state.head;
  if (!isNew || count === 0) return { kind: "stored", records: [], carry: state.carry };
  if (state.isFull) return { kind: "refused", notice: null, fills: false };
  const start = Math.max(push.startFrom, state.head);
  const isGap = start > state.head;
  const held = isGap ? givenUp(state.carry) : resumed(state.carry, context.matcher);
  const { lines, carry } = encodeLines(body.lines, start - push.startFrom, { ...context, held });
  const size = lines.bytes.length;
  // Bytes that are no UTF-8 grow threefold when they are replaced.
  if (size > limits.logPushBytes + storedSlackBytes + held.bytes.length * jsonGrowth)
    return refusedPush(`more than ${mebibytes(limits.logPushBytes)}`);
  if (state.bytes + size > context.logBytesMax) return full(context.logBytesMax);
  const gap: LogRecord[] = isGap ? [{ kind: "gap", position: state.head, until: start }] : [];
  return { kind: "stored", records: [...gap, ...packRecords(start, lines)], carry };
}

/** The job whose pushes are taken: of the claim that the room is armed for alone, and only until the job ended. */
export function jobTaking(state: RoomState, claimNumber: number): ArmedJob | null {
  return state.result === null && state.armed?.claimNumber === claimNumber ? state.armed : null;
}

/** Re-encoding may add a little to each event. */
const storedSlackBytes = limits.logPushEvents * 128;

/** Bytes of JSON that one byte of output may become. */
const jsonGrowth = 6;

function full(logBytesMax: number): PushPlan {
  const notice = `The log has reached its limit of ${mebibytes(logBytesMax)}. What follows is not stored.`;
  return { kind: "refused", notice, fills: true };
}

function refusedPush(why: string): PushPlan {
  const notice = `The agent sent ${why} of log at once, which was refused. The log may end here.`;
  return { kind: "refused", notice, fills: false };
}

function mebibytes(bytes: number): string {
  return `${Math.round((bytes / 1024 / 1024) * 100) / 100} MiB`;
}
