/** How long a final log stays (docs/decisions/0015-how-logs-end.md). Pure. */
import { ProjectSettings } from "../../protocol/projects.ts";
import { type EpochMs, plusSeconds } from "../lib/time.ts";

/** Where the database does not answer, it is asked again after this long; until then the log stays. */
export const lifeRetrySeconds = 900;

const daySeconds = 86_400;

/** A job that is gone has no project to ask: nobody can read its log any more. */
const retentionDaysOfNobody = ProjectSettings.parse({}).log_retention_days;

export type LifeVerdict = { readonly kind: "delete" } | { readonly kind: "keep"; readonly lookAt: EpochMs };

/** `retentionDays`: the project's, as it is now; null where the job is gone. Looks again by `checkSeconds` at the latest. */
export function lifeVerdict(
  closedAt: EpochMs,
  retentionDays: number | null,
  { now, checkSeconds }: { now: EpochMs; checkSeconds: number },
): LifeVerdict {
  const deleteAt = deletionDue(closedAt, retentionDays ?? retentionDaysOfNobody);
  if (deleteAt <= now) return { kind: "delete" };
  return { kind: "keep", lookAt: Math.min(deleteAt, plusSeconds(now, checkSeconds)) as EpochMs };
}

export function deletionDue(closedAt: EpochMs, retentionDays: number): EpochMs {
  return plusSeconds(closedAt, retentionDays * daySeconds);
}
