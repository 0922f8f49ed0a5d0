/** What rests under each sealing key: counted by the database, judged here. */
import type { SealingEscrow, SealingKeyStatus, SealingStatus } from "../../protocol/sealing.ts";
import type { HeldKeys } from "../crypto/keyring.ts";
import { Fault } from "../lib/fault.ts";
import { toTimestamp } from "../lib/time.ts";
import { escrows, escrowsOf } from "./escrow-store.ts";
import { countedUse, countUse, type KeyUse } from "./key-use-store.ts";

/** @throws Fault `unavailable` before bootstrap. */
export async function loadSealingStatus(db: D1Database, held: HeldKeys): Promise<SealingStatus> {
  const [counted, kept] = await db.batch([countUse(db), escrows(db)]);
  const results = countedUse(counted);
  const byKey = escrowsOf(kept);
  const sealsWith = results[0]?.seals_with;
  if (!sealsWith) throw new Fault("unavailable", "this deployment has no organization yet: bootstrap it");
  const unlisted = held.keys.filter((key) => !results.some(({ key_id }) => key_id === key.idHex));
  const fresh: KeyUse[] = unlisted.map((key) => ({
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

function statusOf(row: KeyUse, sealsWith: string, held: HeldKeys, escrow: SealingEscrow | null): SealingKeyStatus {
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
