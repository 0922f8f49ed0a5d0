/** What rests under each sealing key: counted by the database, judged here. */
import type { SealingEscrow, SealingKeyStatus, SealingStatus } from "../../protocol/sealing.ts";
import type { HeldKeys } from "../crypto/keyring.ts";
import { Fault } from "../lib/fault.ts";
import { type EpochMs, toTimestamp } from "../lib/time.ts";
import { escrows, escrowsOf } from "./escrow-store.ts";

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

interface Counted {
  readonly key_id: string;
  /** Null for an id that no rotation ever brought in. */
  readonly created_at: EpochMs | null;
  readonly seals_with: string | null;
  readonly access_keys: number;
  readonly job_specs: number;
  readonly unfinished_jobs: number;
}

/** @throws Fault `unavailable` before bootstrap. */
export async function loadSealingStatus(db: D1Database, held: HeldKeys): Promise<SealingStatus> {
  const [counted, kept] = await db.batch([db.prepare(counts), escrows(db)]);
  const results = (counted?.results ?? []) as Counted[];
  const byKey = escrowsOf(kept);
  const sealsWith = results[0]?.seals_with;
  if (!sealsWith) throw new Fault("unavailable", "this deployment has no organization yet: bootstrap it");
  const unlisted = held.keys.filter((key) => !results.some(({ key_id }) => key_id === key.idHex));
  const fresh: Counted[] = unlisted.map((key) => ({
    key_id: key.idHex,
    created_at: null,
    seals_with: sealsWith,
    access_keys: 0,
    job_specs: 0,
    unfinished_jobs: 0,
  }));
  const items = [...results, ...fresh].map((row) => statusOf(row, sealsWith, held, byKey.get(row.key_id) ?? null));
  return { seals_with: sealsWith, items, next: null };
}

function statusOf(row: Counted, sealsWith: string, held: HeldKeys, escrow: SealingEscrow | null): SealingKeyStatus {
  const slot = held.keys.find((key) => key.idHex === row.key_id)?.binding ?? null;
  const { key_id, access_keys, job_specs, unfinished_jobs } = row;
  const isNeeded = access_keys + job_specs + unfinished_jobs > 0;
  const since = row.created_at === null ? null : toTimestamp(row.created_at);
  const state = stateOf({ seals: key_id === sealsWith, isNeeded, isHeld: slot !== null, isListed: since !== null });
  return { key_id, slot, state, since, access_keys, job_specs, unfinished_jobs, escrow };
}

function stateOf(is: { seals: boolean; isNeeded: boolean; isHeld: boolean; isListed: boolean }) {
  if (!is.isHeld) return is.seals || is.isNeeded ? "missing" : "gone";
  if (is.seals) return "seals";
  if (!is.isListed) return is.isNeeded ? "missing" : "new";
  return is.isNeeded ? "retired" : "safe_to_remove";
}
