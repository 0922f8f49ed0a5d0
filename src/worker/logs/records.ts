/** What a log is made of: records in their order, and how events become rows. Pure. */
import { limits } from "../../protocol/limits.ts";
import type { Bytes } from "../lib/bytes.ts";
import { type Lines, lineAt, startOf } from "./lines.ts";

/** A stretch of stored bytes holds at most this many: whole events, as many as fit. */
export const rowBytes = limits.viewerFrameBytes;

export interface EventsRecord {
  readonly kind: "events";
  readonly position: number;
  readonly count: number;
  /** NDJSON: `count` whole lines. */
  readonly bytes: Uint8Array;
}

/** One piece of an event that is larger than a row; all pieces lie under one position. */
export interface PartRecord {
  readonly kind: "part";
  readonly position: number;
  /** From 1. */
  readonly part: number;
  readonly parts: number;
  /** Bytes of the whole event. */
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** The events from `position` up to `until` never arrived. */
export interface GapRecord {
  readonly kind: "gap";
  readonly position: number;
  readonly until: number;
}

export interface NoticeRecord {
  readonly kind: "notice";
  readonly position: number;
  readonly text: string;
}

/** Their number in the log, `seq`, counts from 1 without holes; positions never fall along it. */
export type LogRecord = EventsRecord | PartRecord | GapRecord | NoticeRecord;

/** The first position behind a record. */
export function untilOf(record: LogRecord): number {
  switch (record.kind) {
    case "events":
      return record.position + record.count;
    case "part":
      return record.position + 1;
    case "gap":
      return record.until;
    case "notice":
      return record.position;
  }
}

/** The last position at which a reader must begin to be told of a record: a notice stands before its event. */
export function reachOf(record: LogRecord): number {
  return record.kind === "notice" ? record.position : untilOf(record) - 1;
}

/** Encoded events as rows from `position` on. */
export function packRecords(position: number, lines: Lines): (EventsRecord | PartRecord)[] {
  const records: (EventsRecord | PartRecord)[] = [];
  const { bytes, ends } = lines;
  for (let at = 0; at < ends.length; ) {
    const start = startOf(lines, at);
    const next = firstBehind(ends, at, start + rowBytes);
    if (next === at) {
      records.push(...partsOf(position + at, lineAt(lines, at)));
      at++;
    } else {
      // A copy: a row is kept for longer than the push that it came in.
      const row = bytes.slice(start, ends[next - 1]);
      records.push({ kind: "events", position: position + at, count: next - at, bytes: row });
      at = next;
    }
  }
  return records;
}

/** The first line from number `at` on that does not end by `limit`. */
function firstBehind(ends: readonly number[], at: number, limit: number): number {
  let next = at;
  while ((ends[next] ?? Number.POSITIVE_INFINITY) <= limit) next++;
  return next;
}

function partsOf(position: number, line: Uint8Array): PartRecord[] {
  const parts = Math.ceil(line.length / limits.logPartBytes);
  return Array.from({ length: parts }, (_, index) => ({
    kind: "part",
    position,
    part: index + 1,
    parts,
    size: line.length,
    bytes: line.slice(index * limits.logPartBytes, (index + 1) * limits.logPartBytes) as Bytes,
  }));
}
