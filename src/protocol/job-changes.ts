/** The feed: every change of a job's state, by position, for readers that resume. */
import * as z from "zod";
import { Id, Timestamp } from "./ids.ts";
import { JobResult, JobState } from "./jobs.ts";
import { inQuery, Page } from "./list.ts";
import { encodeFrame, splitFrame } from "./log-frames.ts";

export const JobChange = z.object({
  /** Grows with every change in the organization; where one may not read a project, numbers are missing. */
  position: z.int(),
  job_id: Id,
  project_id: Id,
  state: JobState,
  result: JobResult.nullable(),
  at: Timestamp,
});
export type JobChange = z.infer<typeof JobChange>;

/** GET /api/v1/job-changes. `after`: the last position that was read; 0 begins with the oldest that is kept. */
export const JobChangesQuery = z.object({
  after: inQuery(z.coerce.number().int().min(0).default(0)),
  limit: Page.shape.limit,
});
export type JobChangesQuery = z.infer<typeof JobChangesQuery>;

export const JobChangesPage = z.object({
  items: z.array(JobChange),
  /** Goes into `after` next time. */
  next: z.int(),
  /** False: changes behind `after` are no longer kept, or `after` is of another database. List the jobs anew. */
  complete: z.boolean(),
});
export type JobChangesPage = z.infer<typeof JobChangesPage>;

/**
 * A frame of the feed's socket, `/api/ws?after=N`: this header as a line of JSON, then the changes, one line of JSON each.
 * It is acknowledged as a log's frames are (log-frames.ts): `{"ack":N}`, N the bytes of all whole frames received.
 */
export const FeedHeader = z.object({
  kind: z.literal("changes"),
  /** Goes into `after` when one comes back. */
  position: z.int(),
  /** As in `JobChangesPage`. */
  complete: z.boolean(),
  /** Bytes that may be under way unacknowledged. */
  credit: z.int(),
});

export function encodeFeedFrame({ items, next, complete }: JobChangesPage, credit: number): Uint8Array<ArrayBuffer> {
  const lines = items.map((change) => `${JSON.stringify(change)}\n`).join("");
  return encodeFrame({ kind: "changes", position: next, complete, credit }, new TextEncoder().encode(lines));
}

/** @throws SyntaxError or ZodError where the bytes are no frame of the feed. */
export function decodeFeedFrame(frame: Uint8Array): { page: JobChangesPage; credit: number } {
  const { header, payload } = splitFrame(frame);
  const { position, complete, credit } = FeedHeader.parse(header);
  const lines = new TextDecoder().decode(payload).split("\n").slice(0, -1);
  return { page: { items: lines.map((line) => JobChange.parse(JSON.parse(line))), next: position, complete }, credit };
}
