/** What is asked of a log beside its events: what it is as a whole. */
import * as z from "zod";
import { Id, Sha256, Timestamp } from "./ids.ts";
import { JobResult } from "./jobs.ts";

/** GET /api/v1/logs/{job_id}/summary */
export const LogSummary = z.object({
  job_id: Id,
  /** The position that comes next: events that never arrived are counted too. */
  events: z.int(),
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
