/** What refers to an access key, and which jobs were handed it. */
import type { AccessKeyDeletion, KeyHandOver } from "../../protocol/access-keys.ts";
import { must } from "../lib/d1.ts";
import { type EpochMs, toTimestamp } from "../lib/time.ts";
import type { KeyScope } from "./access-keys-store.ts";

/** Unfinished jobs that a key's deletion would break; a share is the other thing that it would. */
const referring = `FROM job_keys jk JOIN jobs j ON j.id = jk.job_id WHERE jk.key_id = ?1 AND j.state <> 'finished'`;

/** For a batch; `referringJobs` reads its rows. `projectId`: those of one project alone. */
export function references(db: D1Database, keyId: string, projectId: string | null = null): D1PreparedStatement {
  return db
    .prepare(`SELECT j.id, j.name, j.state ${referring} AND (?2 IS NULL OR j.project_id = ?2) ORDER BY j.id`)
    .bind(keyId, projectId);
}

export function referringJobs(result: D1Result | undefined): AccessKeyDeletion["broken_jobs"] {
  return (result?.results ?? []) as AccessKeyDeletion["broken_jobs"];
}

/** The batch aborts where anything refers to the key. */
export function mustBeUnreferenced(db: D1Database, keyId: string): D1PreparedStatement {
  return must(
    db,
    `SELECT 1 WHERE NOT EXISTS (SELECT 1 ${referring}) AND NOT EXISTS (SELECT 1 FROM key_shares WHERE key_id = ?1)`,
    keyId,
  );
}

/**
 * Jobs that were handed the key at or after `since`, by the audit record, which outlives the key: those of one project,
 * or all of them (scope null).
 */
export async function listHandOvers(
  db: D1Database,
  query: { scope: KeyScope; keyId: string; since: EpochMs; afterId: string; limit: number },
): Promise<KeyHandOver[]> {
  const { results } = await db
    .prepare(
      `SELECT a.job_id AS id, j.project_id, j.name, min(a.at) AS first_at, max(a.at) AS last_at, count(*) AS times
       FROM audit a JOIN jobs j ON j.id = a.job_id
       WHERE a.key_id = ?1 AND (?2 IS NULL OR a.project_id = ?2) AND a.action = 'key.unseal' AND a.at >= ?3 AND a.job_id > ?4
       GROUP BY a.job_id ORDER BY a.job_id LIMIT ?5`,
    )
    .bind(query.keyId, query.scope, query.since, query.afterId, query.limit)
    .all<{ id: string; project_id: string; name: string; first_at: EpochMs; last_at: EpochMs; times: number }>();
  return results.map((row) => ({
    ...row,
    first_at: toTimestamp(row.first_at),
    last_at: toTimestamp(row.last_at),
  }));
}

/** Whether this key is, or ever was, the scope's own or shared with it. */
export async function wasKeyOf(db: D1Database, scope: KeyScope, keyId: string): Promise<boolean> {
  const row = await db
    .prepare(
      `SELECT 1 AS found FROM audit
       WHERE key_id = ? AND project_id IS ? AND action IN ('key.create', 'key.share') LIMIT 1`,
    )
    .bind(keyId, scope)
    .first();
  return row !== null;
}
