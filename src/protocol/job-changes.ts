/** The feed: every change of a job's state, by position, for readers that resume. */
import * as z from "zod";
import { Id, Timestamp } from "./ids.ts";
import { JobResult, JobState } from "./jobs.ts";
import { limits } from "./limits.ts";

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
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(limits.listItems).default(100),
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
