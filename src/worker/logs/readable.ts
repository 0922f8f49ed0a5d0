/** Whether somebody may read a job's log, and whether it is still there. */
import { Id } from "../../protocol/ids.ts";
import type { Job } from "../../protocol/jobs.ts";
import type { Person } from "../../protocol/principal.ts";
import { requireMay } from "../accounts/permissions.ts";
import { Fault, notFound } from "../lib/fault.ts";

export interface ReadableJobs {
  /** @throws Fault `not_found` for a job that the person may not see. */
  show(person: Person, id: string): Promise<Job>;
}

/** @throws Fault `not_found`; `log_deleted`, to who may know that there was one */
export async function requireReadable(jobs: ReadableJobs, person: Person, jobId: string): Promise<Job> {
  if (!Id.safeParse(jobId).success) throw notFound();
  const job = await jobs.show(person, jobId);
  requireMay(person, "log.read", job.project_id);
  const { log_deletion } = job;
  if (log_deletion !== null) throw new Fault("log_deleted", `the log was deleted at ${log_deletion.at}`);
  return job;
}
