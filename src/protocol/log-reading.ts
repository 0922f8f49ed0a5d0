/** What is asked of a log beside its events: what it is as a whole, its lines, what is found in it. */
import * as z from "zod";
import { Id, Sha256, Timestamp } from "./ids.ts";
import { JobResult } from "./jobs.ts";

/** GET /api/v1/logs/{job_id}/summary */
export const LogSummary = z.object({
  job_id: Id,
  /** The position that comes next: events that never arrived are counted too. */
  events: z.int(),
  /** What the server itself has to say, each before the event of its position; the first `limits.logNotices`. */
  notices: z.array(z.object({ position: z.int(), text: z.string() })),
  /** Null while the log may still grow. */
  final: z
    .object({
      result: JobResult,
      /** Of the stored events, as `GET …/events` serves them. */
      bytes: z.int(),
      /** The SHA-256 of these bytes. */
      sha256: Sha256,
      closed_at: Timestamp,
      /** As the project keeps its logs now. */
      delete_at: Timestamp,
    })
    .nullable(),
});
export type LogSummary = z.infer<typeof LogSummary>;

/**
 * GET /api/v1/logs/{job_id}/line?at=N: line N, from 1, of the log's text (`GET …/text`), as `sed -n Np` would print it.
 */
export const LogLine = z.object({
  line: z.int(),
  /** Of the event that it begins in. */
  position: z.int(),
  /** Without its line end; at most `limits.logLineChars` of it. */
  text: z.string(),
  /** False where the text was cut, or the line has not ended yet. */
  complete: z.boolean(),
});
export type LogLine = z.infer<typeof LogLine>;

export const LogMatch = z.object({
  /** From 1, in the log's text. */
  line: z.int(),
  /** From 1, in UTF-16 units, like every JavaScript string. */
  column: z.int(),
  /** Of the event that it begins in. */
  position: z.int(),
  /** The match and some of its line around it. */
  excerpt: z.string(),
});
export type LogMatch = z.infer<typeof LogMatch>;

/** GET /api/v1/logs/{job_id}/search: what was found in a stretch of the log's text; one call reads some MiB of it. */
export const LogMatches = z.object({
  matches: z.array(LogMatch),
  /** Goes on where this call stopped, as `cursor` beside the same `q`; null once the log is final and was read to its end. */
  next: z.string().nullable(),
  /** The search has reached the end of what is stored: of a log that still grows, more may come. */
  at_end: z.boolean(),
});
export type LogMatches = z.infer<typeof LogMatches>;
