/**
 * The plain read: whole events from a position on, up to a size, without notices. A page never spans a gap, so that
 * the reader knows each event's position; where a gap begins the page is empty and goes on behind it. Pure.
 */
import { limits } from "../../protocol/limits.ts";
import { concat } from "../lib/bytes.ts";
import { type Cursor, cursorAt, nextFrame, type ReadRecord } from "./cursor.ts";

export interface EventsPage {
  /** NDJSON, whole lines. */
  readonly events: Uint8Array;
  /** The position to ask for next. */
  readonly next: number;
  /** The log is final and this page reaches its end. */
  readonly isFinal: boolean;
}

/** At least one event where there is one, however large; then as many as fit. */
export function readPage(
  read: ReadRecord,
  log: { lastSeq: number; isFinal: boolean },
  range: { from: number; bytesMax: number },
): EventsPage {
  const events: Uint8Array[] = [];
  let size = 0;
  let cursor: Cursor = cursorAt(range.from, log.lastSeq, read);
  for (;;) {
    const left = cursor.part > 0 ? limits.viewerFrameBytes : Math.max(1, range.bytesMax - size);
    const frame = nextFrame(read, cursor, left);
    if (frame === null) break;
    if (frame.header.kind === "gap") {
      if (size === 0) cursor = frame.next;
      break;
    }
    const isFirst = size === 0 || cursor.part > 0;
    const isPiece = frame.header.kind === "events" && frame.header.part !== undefined;
    // An event that does not fit whole comes alone, on a page of its own.
    if (!isFirst && (isPiece || size + frame.payload.length > range.bytesMax)) break;
    events.push(frame.payload);
    size += frame.payload.length;
    cursor = frame.next;
    if (cursor.part === 0 && size >= range.bytesMax) break;
  }
  const isFinal = log.isFinal && read(cursor.seq) === null;
  return { events: concat(...events), next: cursor.position, isFinal };
}
