/**
 * What the room remembers of one viewer, in its socket's attachment. Pure. How much it may be sent is
 * lib/socket-credit.ts.
 */
import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { afterFrame, newCredit, SocketCredit } from "../lib/socket-credit.ts";
import type { EpochMs } from "../lib/time.ts";
import type { Cursor } from "./cursor.ts";

const count = z.int().min(0);

const Viewer = SocketCredit.extend({
  cursor: z.object({ seq: count, offset: count, position: count, part: count, parts: count }),
});
export type Viewer = z.infer<typeof Viewer>;

export function newViewer(cursor: Cursor, credit: number): Viewer {
  return { cursor, ...newCredit(credit) };
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

/** The first frame is small, so that a long log shows at once. */
export function frameBytesMax(viewer: Viewer): number {
  return viewer.sent === 0 ? limits.viewerFirstFrameBytes : limits.viewerFrameBytes;
}

export function afterSend(viewer: Viewer, bytes: number, next: Cursor, credit: number, now: EpochMs): Viewer {
  return afterFrame({ ...viewer, cursor: next }, bytes, credit, now);
}
