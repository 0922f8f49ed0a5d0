/** A record of the log, and the row that holds it. Pure. */
import { fromUtf8, utf8 } from "../lib/bytes.ts";
import type { LogRecord } from "./records.ts";

export interface RecordRow extends Record<string, SqlStorageValue> {
  kind: LogRecord["kind"];
  position: number;
  until: number;
  part: number;
  parts: number;
  size: number;
  body: ArrayBuffer;
}

/** What the row's `body` holds. */
export function bodyOf(record: LogRecord): Uint8Array {
  if (record.kind === "gap") return new Uint8Array();
  return record.kind === "notice" ? utf8(record.text) : record.bytes;
}

export function toRecord(row: RecordRow): LogRecord {
  const bytes = new Uint8Array(row.body);
  const { position, until, part, parts, size } = row;
  switch (row.kind) {
    case "events":
      return { kind: "events", position, count: until - position, bytes };
    case "part":
      return { kind: "part", position, part, parts, size, bytes };
    case "gap":
      return { kind: "gap", position, until };
    case "notice":
      return { kind: "notice", position, text: fromUtf8(bytes) };
  }
}
