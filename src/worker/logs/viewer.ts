/**
 * What the room remembers of one viewer, in its socket's attachment, and when it may be sent more. Pure.
 * A viewer's memory here is its credit at most: what it does not acknowledge it is not sent behind.
 */
import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { closeCodes, ViewerMessage } from "../../protocol/log-frames.ts";
import { utf8Length } from "../lib/bytes.ts";
import { type EpochMs, plusSeconds } from "../lib/time.ts";
import type { Cursor } from "./cursor.ts";

const count = z.int().min(0);

/** Versioned by its shape: a deployment may meet attachments of the one before. */
const Viewer = z.object({
  cursor: z.object({ seq: count, offset: count, position: count, part: count, parts: count }),
  /** Bytes of whole frames. */
  sent: count,
  acked: count,
  /** The credit of the last frame: the one that the client acknowledges by. */
  credit: count,
  /** Since when an acknowledgement is due; null while none is. */
  owesSince: count.nullable(),
});
export type Viewer = z.infer<typeof Viewer>;

export function newViewer(cursor: Cursor, credit: number): Viewer {
  return { cursor, sent: 0, acked: 0, credit, owesSince: null };
}

/** The viewer of a socket, or null where its attachment is none of ours (refused sockets have none). */
export function readViewer(attachment: unknown): Viewer | null {
  const parsed = Viewer.safeParse(attachment);
  return parsed.success ? parsed.data : null;
}

/** Each viewer's share of what may be under way in one room. */
export function creditFor(viewers: number): number {
  return Math.min(limits.viewerCreditBytes, Math.floor(limits.roomCreditBytes / Math.max(1, viewers)));
}

/** Whatever the next frame's size. By the credit that the client was told, or a shrunken one would hold both up. */
export function mayBeSent(viewer: Viewer): boolean {
  return viewer.sent - viewer.acked < viewer.credit;
}

/** The first frame is small, so that a long log shows at once. */
export function frameBytesMax(viewer: Viewer): number {
  return viewer.sent === 0 ? limits.viewerFirstFrameBytes : limits.viewerFrameBytes;
}

export function afterSend(viewer: Viewer, bytes: number, next: Cursor, credit: number, now: EpochMs): Viewer {
  return owing({ ...viewer, cursor: next, sent: viewer.sent + bytes, credit }, viewer.owesSince ?? now);
}

export type Verdict =
  | { readonly kind: "acked"; readonly viewer: Viewer }
  | { readonly kind: "close"; readonly code: number; readonly reason: string };

export function onMessage(viewer: Viewer, message: string | ArrayBuffer, now: EpochMs): Verdict {
  const read = readAck(message);
  if (typeof read !== "number") return read;
  const ack = read;
  if (ack < viewer.acked || ack > viewer.sent)
    return close(closeCodes.policy, "an ack below the last or above what was sent");
  // Only progress counts: repeating an old number does not put the close off.
  const since = ack > viewer.acked ? now : (viewer.owesSince ?? now);
  return { kind: "acked", viewer: owing({ ...viewer, acked: ack }, since as EpochMs) };
}

/** When the viewer will have owed an acknowledgement for too long; null while it owes none. */
export function stalledAt(viewer: Viewer): EpochMs | null {
  return viewer.owesSince === null ? null : plusSeconds(viewer.owesSince as EpochMs, limits.viewerStallSeconds);
}

/** Due: the first frame's acknowledgement, then one at every half credit. A quiet log owes nothing. */
function owing(viewer: Viewer, since: number): Viewer {
  const open = viewer.sent - viewer.acked;
  const owes = open > 0 && (viewer.acked === 0 || open >= viewer.credit / 2);
  return { ...viewer, owesSince: owes ? since : null };
}

/** As our client writes it: parsing costs a room with many viewers more than all else that it does for an ack. */
const plainAck = /^\{"ack":(0|[1-9]\d{0,14})\}$/;

function readAck(message: string | ArrayBuffer): number | Verdict {
  const plain = typeof message === "string" ? plainAck.exec(message) : null;
  if (plain !== null) return Number(plain[1]);
  const bytes = typeof message === "string" ? utf8Length(message) : message.byteLength;
  if (bytes > limits.viewerMessageBytes) return close(closeCodes.tooBig, "a message is too long");
  if (typeof message !== "string") return close(closeCodes.policy, "messages are text");
  const parsed = ViewerMessage.safeParse(parseJson(message));
  return parsed.success ? parsed.data.ack : close(closeCodes.policy, 'a message is {"ack":N}');
}

function close(code: number, reason: string): Verdict {
  return { kind: "close", code, reason };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
