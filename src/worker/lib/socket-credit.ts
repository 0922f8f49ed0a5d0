/**
 * What may be under way to one websocket, counted in bytes of whole frames, and when it may be sent more. Pure.
 * What a reader does not acknowledge it is not sent behind: its credit is all the memory that it can take here.
 */
import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { closeCodes, ViewerMessage } from "../../protocol/log-frames.ts";
import { utf8Length } from "./bytes.ts";
import { type EpochMs, plusSeconds } from "./time.ts";

const count = z.int().min(0);

/** Part of a socket's attachment. Versioned by its shape: a deployment may meet attachments of the one before. */
export const SocketCredit = z.object({
  /** Bytes of whole frames. */
  sent: count,
  acked: count,
  /** The credit of the last frame: the one that the client acknowledges by. */
  credit: count,
  /** Since when an acknowledgement is due; null while none is. */
  owesSince: count.nullable(),
});
export type SocketCredit = z.infer<typeof SocketCredit>;

export function newCredit(credit: number): SocketCredit {
  return { sent: 0, acked: 0, credit, owesSince: null };
}

/** Whatever the next frame's size. By the credit that the client was told, or a shrunken one would hold both up. */
export function mayBeSent(state: SocketCredit): boolean {
  return state.sent - state.acked < state.credit;
}

export function afterFrame<State extends SocketCredit>(
  state: State,
  bytes: number,
  credit: number,
  now: EpochMs,
): State {
  return owing({ ...state, sent: state.sent + bytes, credit }, state.owesSince ?? now);
}

export type Verdict<State> =
  | { readonly kind: "acked"; readonly state: State }
  | { readonly kind: "close"; readonly code: number; readonly reason: string };

export function onMessage<State extends SocketCredit>(
  state: State,
  message: string | ArrayBuffer,
  now: EpochMs,
): Verdict<State> {
  const ack = readAck(message);
  if (typeof ack !== "number") return ack;
  if (ack < state.acked || ack > state.sent)
    return close(closeCodes.policy, "an ack below the last or above what was sent");
  // Only progress counts: repeating an old number does not put the close off.
  const since = ack > state.acked ? now : (state.owesSince ?? now);
  return { kind: "acked", state: owing({ ...state, acked: ack }, since) };
}

/** When the reader will have owed an acknowledgement for too long; null while it owes none. */
export function stalledAt({ owesSince }: SocketCredit): EpochMs | null {
  return owesSince === null ? null : plusSeconds(owesSince as EpochMs, limits.viewerStallSeconds);
}

/** Due: the first frame's acknowledgement, then one at every half credit. A quiet stream owes nothing. */
function owing<State extends SocketCredit>(state: State, since: number): State {
  const open = state.sent - state.acked;
  const owes = open > 0 && (state.acked === 0 || open >= state.credit / 2);
  return { ...state, owesSince: owes ? since : null };
}

/** As our client writes it: parsing costs a room with many viewers more than all else that it does for an ack. */
const plainAck = /^\{"ack":(0|[1-9]\d{0,14})\}$/;

/** The bytes acknowledged, or why the message closes the socket. */
export function readAck(message: string | ArrayBuffer): number | Extract<Verdict<never>, { kind: "close" }> {
  const plain = typeof message === "string" ? plainAck.exec(message) : null;
  if (plain !== null) return Number(plain[1]);
  const bytes = typeof message === "string" ? utf8Length(message) : message.byteLength;
  if (bytes > limits.viewerMessageBytes) return close(closeCodes.tooBig, "a message is too long");
  if (typeof message !== "string") return close(closeCodes.policy, "messages are text");
  const parsed = ViewerMessage.safeParse(parseJson(message));
  return parsed.success ? parsed.data.ack : close(closeCodes.policy, 'a message is {"ack":N}');
}

function close(code: number, reason: string) {
  return { kind: "close", code, reason } as const;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
