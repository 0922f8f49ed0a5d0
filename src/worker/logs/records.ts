/** What a log is made of: records in their order, and how events become rows. Pure. */
import { limits } from "../../protocol/limits.ts";
import { type Bytes, joined } from "../lib/bytes.ts";

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

/** Encoded events, each with its line end, as rows from `position` on. */
export function packRecords(position: number, lines: readonly Uint8Array[]): (EventsRecord | PartRecord)[] {
  const records: (EventsRecord | PartRecord)[] = [];
  let row: Uint8Array[] = [];
  let size = 0;
  let at = position;
  const flush = () => {
    if (row.length > 0)
      records.push({ kind: "events", position: at - row.length, count: row.length, bytes: joined(row) });
    row = [];
    size = 0;
  };
  for (const line of lines) {
    if (size + line.length > rowBytes) flush();
    if (line.length > rowBytes) {
      records.push(...partsOf(at, line));
    } else {
      row.push(line);
      size += line.length;
    }
    at++;
  }
  flush();
  return records;
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
