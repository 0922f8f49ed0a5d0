/** What the database says of the sealing keys: which are known, and which one seals. */
import { type Bytes, fromBlob, toHex } from "../lib/bytes.ts";
import { must } from "../lib/d1.ts";
import type { EpochMs } from "../lib/time.ts";
import type { SealingState } from "./keyring.ts";
import type { SealingKey } from "./sealing-key.ts";

const selectState = `
  SELECT k.key_id, k.self_test, (SELECT seals_with FROM sealing_state) AS seals_with FROM sealing_keys k`;

export async function loadSealingState(db: D1Database): Promise<SealingState> {
  const { results } = await db
    .prepare(selectState)
    .all<{ key_id: ArrayBuffer | number[]; self_test: ArrayBuffer | number[]; seals_with: ArrayBuffer | number[] }>();
  const [first] = results;
  return {
    sealsWith: first === undefined ? null : toHex(fromBlob(first.seals_with)),
    listed: new Map(results.map((row) => [toHex(fromBlob(row.key_id)), fromBlob(row.self_test)])),
  };
}

/** Statements that bring in the first sealing key of an empty database; a second time they abort the batch. */
export function firstSealingKey(db: D1Database, key: SealingKey, selfTest: Bytes, now: EpochMs) {
  return [
    db.prepare("INSERT INTO sealing_keys (key_id, self_test, created_at) VALUES (?, ?, ?)").bind(key.id, selfTest, now),
    db.prepare("INSERT INTO sealing_state (singleton, seals_with) VALUES (1, ?)").bind(key.id),
  ];
}

/** The batch aborts unless `from` seals, and `next` never did. */
export function mustSealNext(db: D1Database, from: string, next: SealingKey): D1PreparedStatement {
  const guard = `SELECT 1 FROM sealing_state WHERE lower(hex(seals_with)) = ?
    AND NOT EXISTS (SELECT 1 FROM sealing_keys WHERE key_id = ?)`;
  return must(db, guard, from, next.id);
}

/** Statements that let another key seal; behind `mustSealNext`. */
export function nextSealingKey(db: D1Database, key: SealingKey, selfTest: Bytes, now: EpochMs) {
  return [
    // Later than every key before it, whatever the clocks say: their order tells until when each one sealed.
    db
      .prepare(
        `INSERT INTO sealing_keys (key_id, self_test, created_at)
         SELECT ?, ?, max(?, 1 + (SELECT max(created_at) FROM sealing_keys))`,
      )
      .bind(key.id, selfTest, now),
    db.prepare("UPDATE sealing_state SET seals_with = ?").bind(key.id),
  ];
}

/** A wrangler that puts a secret is done long before; a run that was killed before it put its key holds up others so long. */
const putMs = 10 * 60_000;

/** Whether the idle slot is this rotation's to write: `from` seals still, and no other rotation is about to write it. */
export async function claimIdleSlot(db: D1Database, claim: { from: string; keyId: Bytes; now: EpochMs }) {
  const { meta } = await db
    .prepare(
      `INSERT INTO sealing_rotation (singleton, key_id, begun_at)
       SELECT 1, ?1, ?2 WHERE (SELECT lower(hex(seals_with)) FROM sealing_state) = ?3
       ON CONFLICT (singleton) DO UPDATE SET key_id = excluded.key_id, begun_at = excluded.begun_at
       WHERE key_id = excluded.key_id OR begun_at < ?2 - ${putMs} OR key_id IN (SELECT key_id FROM sealing_keys)`,
    )
    .bind(claim.keyId, claim.now, claim.from)
    .run();
  return meta.changes > 0;
}

/** Whether an error is the triggers' word that this isolate sealed under a key that no longer seals. */
export function isStaleSealingKey(error: unknown): boolean {
  return error instanceof Error && error.message.includes("stale sealing key");
}
