/** Which sealing keys somebody keeps a copy of. */
import type { SealingEscrow, SealingEscrowRecord } from "../../protocol/sealing.ts";
import { fromHex } from "../lib/bytes.ts";
import { must } from "../lib/d1.ts";
import { type EpochMs, toTimestamp } from "../lib/time.ts";

interface EscrowRow {
  key_id: string;
  how: SealingEscrow["how"];
  recipient: string | null;
  kept_at: EpochMs;
  kept_by: string;
}

export function escrows(db: D1Database): D1PreparedStatement {
  return db.prepare("SELECT lower(hex(key_id)) AS key_id, how, recipient, kept_at, kept_by FROM sealing_escrows");
}

/** By key id in hex. */
export function escrowsOf(answer: D1Result | undefined): Map<string, SealingEscrow> {
  const rows = (answer?.results ?? []) as EscrowRow[];
  return new Map(
    rows.map(({ key_id, how, recipient, kept_at, kept_by }) => [
      key_id,
      { how, recipient, at: toTimestamp(kept_at), by: kept_by },
    ]),
  );
}

/** Aborts the batch for a key that is neither listed, nor about to be put, nor held here. */
export function mustBeSealingKey(db: D1Database, keyId: string, isHeld: boolean): D1PreparedStatement {
  const guard = `SELECT 1 WHERE ?1 OR EXISTS (SELECT 1 FROM sealing_keys WHERE key_id = ?2)
    OR EXISTS (SELECT 1 FROM sealing_rotation WHERE key_id = ?2)`;
  return must(db, guard, isHeld ? 1 : 0, fromHex(keyId));
}

/** The last word counts; but who keeps no copy does not take away another's. */
export function keepEscrow(db: D1Database, record: SealingEscrowRecord, by: string, at: EpochMs): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO sealing_escrows (key_id, how, recipient, kept_at, kept_by) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (key_id) DO UPDATE SET how = excluded.how, recipient = excluded.recipient,
         kept_at = excluded.kept_at, kept_by = excluded.kept_by
       WHERE excluded.how <> 'declined' OR sealing_escrows.how = 'declined'`,
    )
    .bind(fromHex(record.key_id), record.how, record.recipient, at, by);
}
