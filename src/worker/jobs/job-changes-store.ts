/** The feed in D1. Its rows are written by triggers on `jobs` (migrations/0010_job_changes.sql), read and pruned here. */
import type { JobChange } from "../../protocol/job-changes.ts";
import type { JobResult, JobState } from "../../protocol/jobs.ts";
import { type EpochMs, toTimestamp } from "../lib/time.ts";

interface JobChangeRow {
  position: number;
  job_id: string;
  project_id: string;
  state: JobState;
  result: JobResult | null;
  at: number;
}

/** What is read at one moment: changes, and which positions there are. Null: there are none. */
export interface FoundChanges {
  readonly items: JobChange[];
  readonly oldest: number | null;
  readonly newest: number | null;
}

/** Changes after a position, of the whole organization or of `projectId` alone. */
export async function findChanges(
  db: D1Database,
  query: { projectId: string | null; after: number; limit: number },
): Promise<FoundChanges> {
  const columns = "SELECT seq AS position, job_id, project_id, state, result, at FROM job_changes";
  const changes =
    query.projectId === null
      ? db.prepare(`${columns} WHERE seq > ? ORDER BY seq LIMIT ?`).bind(query.after, query.limit)
      : db
          .prepare(`${columns} WHERE project_id = ? AND seq > ? ORDER BY seq LIMIT ?`)
          .bind(query.projectId, query.after, query.limit);
  // Two subqueries: SQLite looks up min and max at an end of the table only where each stands alone.
  const ends = db.prepare(
    "SELECT (SELECT min(seq) FROM job_changes) AS oldest, (SELECT max(seq) FROM job_changes) AS newest",
  );
  const [found, kept] = await db.batch([changes, ends]);
  const rows = (found?.results ?? []) as JobChangeRow[];
  const range = kept?.results[0] as { oldest: number | null; newest: number | null } | undefined;
  return {
    items: rows.map((row) => ({ ...row, at: toTimestamp(row.at) })),
    oldest: range?.oldest ?? null,
    newest: range?.newest ?? null,
  };
}

/**
 * Deletes changes older than `before`, from the oldest on, at most `limit` a time. The newest stays, however old: it
 * tells a reader who comes late that something is missing.
 */
export async function pruneChanges(db: D1Database, before: EpochMs, limit: number): Promise<void> {
  await db
    .prepare(
      `DELETE FROM job_changes WHERE at < ?1 AND seq < (SELECT max(seq) FROM job_changes)
         AND seq IN (SELECT seq FROM job_changes ORDER BY seq LIMIT ?2)`,
    )
    .bind(before, limit)
    .run();
}
