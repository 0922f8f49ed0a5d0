/** That a person has seen a secret: kept for its version, so that a replaced secret has been seen by nobody. */
import { type EpochMs, toTimestampOrNull } from "../lib/time.ts";

/** The first sighting of the secret that the key has now. */
const first = (column: "seen_at" | "seen_by") => `(SELECT s.${column} FROM key_sightings s
  WHERE s.key_id = access_keys.id AND s.secret_version = access_keys.secret_version
  ORDER BY s.seen_at, s.seen_by LIMIT 1) AS ${column}`;

export const sightingColumns = `${first("seen_at")}, ${first("seen_by")}`;

export interface SightingRow {
  readonly seen_at: number | null;
  readonly seen_by: string | null;
}

export function sightingOf({ seen_at, seen_by }: SightingRow) {
  return { seen_at: toTimestampOrNull(seen_at), seen_by };
}

export interface Sighted {
  readonly key_id: string;
  readonly secret_version: number;
}

/** Of what was seen, the keys that there are, with the version that their secret has now. */
export async function findSighted(db: D1Database, seen: readonly Sighted[]) {
  const { results } = await db
    .prepare(
      `SELECT k.id, k.project_id, k.secret_version FROM json_each(?) e CROSS JOIN access_keys k
       ON k.id = e.value ->> 'key_id' AND e.value ->> 'secret_version' BETWEEN 1 AND k.secret_version`,
    )
    .bind(JSON.stringify(seen))
    .all<{ id: string; project_id: string | null; secret_version: number }>();
  return results;
}

/** Of keys that are deleted meanwhile nothing is kept. */
export function insertSightings(db: D1Database, seen: readonly Sighted[], by: string, now: EpochMs) {
  return db
    .prepare(
      `INSERT INTO key_sightings (key_id, secret_version, seen_by, seen_at)
       SELECT k.id, e.value ->> 'secret_version', ?2, ?3 FROM json_each(?1) e CROSS JOIN access_keys k
       ON k.id = e.value ->> 'key_id' WHERE TRUE
       ON CONFLICT (key_id, secret_version, seen_by) DO NOTHING`,
    )
    .bind(JSON.stringify(seen), by, now);
}
