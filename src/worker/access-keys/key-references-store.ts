/** What refers to an access key, and which jobs were handed it. */
import type { AccessKeyDeletion, KeyHandOver } from "../../protocol/access-keys.ts";
import { must } from "../lib/d1.ts";
import { type EpochMs, toTimestamp } from "../lib/time.ts";

/** Everything that a key's deletion would break. */
const referring = `FROM job_keys jk JOIN jobs j ON j.id = jk.job_id WHERE jk.key_id = ? AND j.state <> 'finished'`;

/** For a batch; `referringJobs` reads its rows. */
export function references(db: D1Database, keyId: string): D1PreparedStatement {
  return db.prepare(`SELECT j.id, j.name, j.state ${referring} ORDER BY j.id`).bind(keyId);
}

export function referringJobs(result: D1Result | undefined): AccessKeyDeletion["broken_jobs"] {
  return (result?.results ?? []) as AccessKeyDeletion["broken_jobs"];
}

/** The batch aborts where anything refers to the key. */
export function mustBeUnreferenced(db: D1Database, keyId: string): D1PreparedStatement {
  return must(db, `SELECT 1 WHERE NOT EXISTS (SELECT 1 ${referring})`, keyId);
}

/** Jobs that were handed the key at or after `since`, by the audit record, which outlives the key. */
export async function listHandOvers(
  db: D1Database,
  query: { projectId: string; keyId: string; since: EpochMs; afterId: string; limit: number },
): Promise<KeyHandOver[]> {
  const { results } = await db
    .prepare(
      `SELECT a.job_id AS id, j.name, min(a.at) AS first_at, max(a.at) AS last_at, count(*) AS times
       FROM audit a JOIN jobs j ON j.id = a.job_id
       WHERE a.key_id = ?1 AND a.project_id = ?2 AND a.action = 'key.unseal' AND a.at >= ?3 AND a.job_id > ?4
       GROUP BY a.job_id ORDER BY a.job_id LIMIT ?5`,
    )
    .bind(query.keyId, query.projectId, query.since, query.afterId, query.limit)
    .all<{ id: string; name: string; first_at: EpochMs; last_at: EpochMs; times: number }>();
  return results.map((row) => ({
    ...row,
    first_at: toTimestamp(row.first_at),
    last_at: toTimestamp(row.last_at),
  }));
}

/** Whether the project has, or ever had, this key. */
export async function wasKeyOf(db: D1Database, projectId: string, keyId: string): Promise<boolean> {
  const row = await db
    .prepare("SELECT 1 AS found FROM audit WHERE key_id = ? AND project_id = ? AND action = 'key.create' LIMIT 1")
    .bind(keyId, projectId)
    .first();
  return row !== null;
}
