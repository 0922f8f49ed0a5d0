/** Whether those who watch a log still may: asked while they watch, for a token may be revoked or end meanwhile. */
import { livePeople } from "../accounts/accounts.ts";
import { mayDo } from "../accounts/permissions.ts";
import { findJob } from "../jobs/jobs-store.ts";
import type { EpochMs } from "../lib/time.ts";

/** Which of these principals may read the job's log now; none where the job, or its log, is gone. */
export async function whoMayWatch(
  db: D1Database,
  jobId: string,
  principalIds: readonly string[],
  now: EpochMs,
): Promise<ReadonlySet<string>> {
  const [job, people] = await Promise.all([findJob(db, jobId), livePeople(db, principalIds, now)]);
  if (job === null || job.job.log_deletion !== null) return new Set();
  const allowed = people.filter((person) => mayDo(person, "log.read", job.job.project_id));
  return new Set(allowed.map((person) => person.id));
}
