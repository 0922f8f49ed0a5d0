/** How many records and unfinished jobs there are under each sealing key. */
import type { EpochMs } from "../lib/time.ts";

/**
 * Masks have no column of their own for each key: a job that was claimed before a key stopped sealing may have masks
 * under it, whatever was added since. A minute for isolates that learn late and clocks that differ.
 */
const lateMs = 60_000;

const counts = `
  WITH known AS (
    SELECT key_id, created_at, (SELECT min(n.created_at) FROM sealing_keys n WHERE n.created_at > k.created_at) AS until
    FROM sealing_keys k
  ), used AS (
    SELECT key_id FROM known
    UNION SELECT substr(sealed, 2, 8) FROM access_keys WHERE length(sealed) >= 9
    UNION SELECT substr(sealed, 2, 8) FROM job_specs WHERE length(sealed) >= 9
  )
  SELECT lower(hex(u.key_id)) AS key_id, k.created_at,
    lower(hex((SELECT seals_with FROM sealing_state))) AS seals_with,
    (SELECT count(*) FROM access_keys WHERE substr(sealed, 2, 8) = u.key_id) AS access_keys,
    (SELECT count(*) FROM job_specs WHERE substr(sealed, 2, 8) = u.key_id) AS job_specs,
    (SELECT count(*) FROM jobs WHERE state <> 'finished' AND claim_number > 0
       AND (mask_key_id = u.key_id OR claimed_at < k.until + ${lateMs})) AS unfinished_jobs
  FROM used u LEFT JOIN known k ON k.key_id = u.key_id ORDER BY k.created_at, u.key_id`;

export interface KeyUse {
  readonly key_id: string;
  /** Null for an id that no rotation ever brought in. */
  readonly created_at: EpochMs | null;
  readonly seals_with: string | null;
  readonly access_keys: number;
  readonly job_specs: number;
  readonly unfinished_jobs: number;
}

/** For a batch; `countedUse` reads its rows. */
export function countUse(db: D1Database): D1PreparedStatement {
  return db.prepare(counts);
}

/** Ids that no rotation brought in, then the oldest key first; none before bootstrap. */
export function countedUse(result: D1Result | undefined): KeyUse[] {
  return (result?.results ?? []) as KeyUse[];
}
