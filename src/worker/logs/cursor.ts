/**
 * A reader's place in the stored log, and the next frame from there. Pure: records come from the caller.
 * Frames hold whole events, or one piece of an event that no frame can hold whole.
 */
import { limits } from "../../protocol/limits.ts";
import type { FrameHeader } from "../../protocol/log-frames.ts";
import { concat } from "../lib/bytes.ts";
import { type EventsRecord, type LogRecord, type PartRecord, reachOf, untilOf } from "./records.ts";

export interface Cursor {
  /** The record that comes next, or the one begun. */
  readonly seq: number;
  /** Bytes of it that are behind. */
  readonly offset: number;
  /** The event that comes next, or the one begun. */
  readonly position: number;
  /** Pieces sent of the event begun, and in how many it goes; both 0 between events. */
  readonly part: number;
  readonly parts: number;
}

/** The record with that number, or null behind the last. */
export type ReadRecord = (seq: number) => LogRecord | null;

type Header<Kind> = Kind extends unknown ? Omit<Kind, "credit"> : never;

export interface FrameDraft {
  readonly header: Header<FrameHeader>;
  readonly payload: Uint8Array;
  /** Where the reader stands once it has it. */
  readonly next: Cursor;
}

/** `reachOf` the record with that number, or null behind the last. */
export type ReadReach = (seq: number) => number | null;

/**
 * The place from which everything at `from` or later is read, each record once. Beyond the head it is the head.
 * `lastSeq` records are numbered from 1. `reach` is for a store that can tell it without reading the record's bytes.
 */
export function cursorAt(
  from: number,
  lastSeq: number,
  read: ReadRecord,
  reach: ReadReach = (seq) => reachIn(read(seq)),
): Cursor {
  let [low, high] = [1, lastSeq + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((reach(middle) ?? from) < from) low = middle + 1;
    else high = middle;
  }
  const record = read(low);
  if (record !== null) return within(record, low, Math.max(from, record.position));
  const last = read(lastSeq);
  return fresh(low, last === null ? 0 : untilOf(last));
}

/** The next frame of at most `bytesMax` bytes of events, or null where the reader has everything. */
export function nextFrame(read: ReadRecord, cursor: Cursor, bytesMax: number): FrameDraft | null {
  const record = read(cursor.seq);
  if (record === null) return null;
  const position = Math.max(cursor.position, record.position);
  switch (record.kind) {
    case "gap":
      return own({ kind: "gap", position, until: record.until }, fresh(cursor.seq + 1, record.until));
    case "notice":
      return own({ kind: "notice", position, text: record.text }, fresh(cursor.seq + 1, position));
    case "part":
      return piece(record, { ...cursor, position }, record.bytes.length - cursor.offset, record.size, bytesMax);
    case "events":
      return fromEvents(record, read, { ...cursor, position }, bytesMax);
  }
}

function reachIn(record: LogRecord | null): number | null {
  return record === null ? null : reachOf(record);
}

function own(header: FrameDraft["header"], next: Cursor): FrameDraft {
  return { header, payload: new Uint8Array(), next };
}

function fresh(seq: number, position: number): Cursor {
  return { seq, offset: 0, position, part: 0, parts: 0 };
}

function within(record: LogRecord, seq: number, position: number): Cursor {
  const offset = record.kind === "events" ? bytesOfLines(record.bytes, position - record.position) : 0;
  return { ...fresh(seq, position), offset };
}

function fromEvents(record: EventsRecord, read: ReadRecord, cursor: Cursor, bytesMax: number): FrameDraft {
  const line = record.bytes.indexOf(0x0a, cursor.offset) + 1 - cursor.offset;
  if (cursor.part > 0 || line > bytesMax) return piece(record, cursor, line, line, bytesMax);
  if (record.bytes.length - cursor.offset > bytesMax) return partOfRow(record, cursor, bytesMax);
  return wholeRows(record, read, cursor, bytesMax);
}

/** As many whole events of one row as fit. */
function partOfRow(record: EventsRecord, cursor: Cursor, bytesMax: number): FrameDraft {
  const end = record.bytes.lastIndexOf(0x0a, cursor.offset + bytesMax - 1) + 1;
  const payload = record.bytes.subarray(cursor.offset, end);
  const count = linesIn(payload);
  return {
    header: { kind: "events", position: cursor.position, count },
    payload,
    next: { ...cursor, offset: end, position: cursor.position + count },
  };
}

/** The rest of one row and the rows behind it, as long as they fit whole: a live log has many small ones. */
function wholeRows(record: EventsRecord, read: ReadRecord, cursor: Cursor, bytesMax: number): FrameDraft {
  const payloads = [record.bytes.subarray(cursor.offset)];
  let size = record.bytes.length - cursor.offset;
  let seq = cursor.seq + 1;
  let until = untilOf(record);
  for (let next = read(seq); next?.kind === "events" && size + next.bytes.length <= bytesMax; next = read(++seq)) {
    payloads.push(next.bytes);
    size += next.bytes.length;
    until = untilOf(next);
  }
  return {
    header: { kind: "events", position: cursor.position, count: until - cursor.position },
    payload: payloads.length === 1 ? (payloads[0] ?? new Uint8Array()) : concat(...payloads),
    next: fresh(seq, until),
  };
}

/** A piece of one event, of which `rest` bytes lie in this record from the cursor on. */
function piece(
  record: EventsRecord | PartRecord,
  cursor: Cursor,
  rest: number,
  size: number,
  bytesMax: number,
): FrameDraft {
  const take = Math.min(rest, bytesMax);
  const part = cursor.part + 1;
  const parts = cursor.part > 0 ? cursor.parts : piecesOf(size, take);
  const payload = record.bytes.subarray(cursor.offset, cursor.offset + take);
  const rowEnds = cursor.offset + take === record.bytes.length;
  const place = { seq: rowEnds ? cursor.seq + 1 : cursor.seq, offset: rowEnds ? 0 : cursor.offset + take };
  const isLast = part === parts;
  return {
    header: { kind: "events", position: cursor.position, count: isLast ? 1 : 0, part, parts },
    payload,
    next: isLast
      ? { ...place, position: cursor.position + 1, part: 0, parts: 0 }
      : { ...place, position: cursor.position, part, parts },
  };
}

/** In how many pieces an event of `size` bytes goes whose first piece has `first`: none spans two stored parts. */
function piecesOf(size: number, first: number): number {
  let pieces = 1;
  for (let start = 0; start < size; start += limits.logPartBytes) {
    const stored = Math.min(limits.logPartBytes, size - start);
    pieces += Math.ceil((stored - (start === 0 ? first : 0)) / limits.viewerFrameBytes);
  }
  return pieces;
}

/** Bytes of the first `lines` lines. */
function bytesOfLines(bytes: Uint8Array, lines: number): number {
  let offset = 0;
  for (let line = 0; line < lines; line++) offset = bytes.indexOf(0x0a, offset) + 1;
  return offset;
}

function linesIn(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) lines++;
  return lines;
}
