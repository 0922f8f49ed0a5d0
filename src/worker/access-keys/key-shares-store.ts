/** With which projects an organization's key is shared. */
import type { KeyShare } from "../../protocol/access-keys.ts";
import { must } from "../lib/d1.ts";
import { type EpochMs, toTimestamp, toTimestampOrNull } from "../lib/time.ts";

interface ShareRow {
  key_id: string;
  project_id: string;
  project_name: string;
  shared_at: EpochMs;
  shared_by: string;
  last_used_at: EpochMs | null;
  last_used_job: string | null;
}

/** All of a key's shares, or a page of them by the project's id. For a batch; `sharesIn` reads its rows. */
export function selectShares(
  db: D1Database,
  keyId: string,
  { afterId, limit } = { afterId: "", limit: -1 },
): D1PreparedStatement {
  return db
    .prepare(
      `SELECT s.*, p.name AS project_name FROM key_shares s JOIN projects p ON p.id = s.project_id
       WHERE s.key_id = ? AND s.project_id > ? ORDER BY s.project_id LIMIT ?`,
    )
    .bind(keyId, afterId, limit);
}

export function sharesIn(result: D1Result | undefined): KeyShare[] {
  return ((result?.results ?? []) as ShareRow[]).map((row) => ({
    ...row,
    shared_at: toTimestamp(row.shared_at),
    last_used_at: toTimestampOrNull(row.last_used_at),
  }));
}

export async function findShare(db: D1Database, keyId: string, projectId: string): Promise<KeyShare | undefined> {
  return sharesIn(await selectShares(db, keyId).all()).find((share) => share.project_id === projectId);
}

export function insertShare(db: D1Database, share: KeyShare, sharedAt: EpochMs): D1PreparedStatement {
  return db
    .prepare("INSERT INTO key_shares (key_id, project_id, shared_at, shared_by) VALUES (?, ?, ?, ?)")
    .bind(share.key_id, share.project_id, sharedAt, share.shared_by);
}

/** The batch aborts where the key is not shared with the project. */
export function mustBeShared(db: D1Database, keyId: string, projectId: string): D1PreparedStatement {
  return must(db, "SELECT 1 FROM key_shares WHERE key_id = ? AND project_id = ?", keyId, projectId);
}

export function deleteShare(db: D1Database, keyId: string, projectId: string): D1PreparedStatement {
  return db.prepare("DELETE FROM key_shares WHERE key_id = ? AND project_id = ?").bind(keyId, projectId);
}
