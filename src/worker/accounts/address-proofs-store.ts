/** Proofs of the proxy in front, and their requests, in D1. */
import type { AddressVerdict } from "../../protocol/address-proofs.ts";
import type { Bytes } from "../lib/bytes.ts";
import { must } from "../lib/d1.ts";
import type { EpochMs } from "../lib/time.ts";
import type { SeenTrial, Trial } from "./address-trials.ts";

export interface NewProof {
  readonly id: string;
  readonly tokenId: string;
  readonly issuer: string;
  readonly openedAt: EpochMs;
}

export interface DigestedTrial extends Trial {
  readonly digest: Bytes;
}

/** Stores a proof with its requests, and sweeps what was opened before `staleBefore` and showed nothing. */
export async function insertProof(
  db: D1Database,
  proof: NewProof,
  trials: readonly DigestedTrial[],
  staleBefore: EpochMs,
): Promise<void> {
  const stale = "opened_at < ? AND (verdict IS NULL OR verdict = 'incomplete')";
  await db.batch([
    db
      .prepare(`DELETE FROM address_trials WHERE proof_id IN (SELECT id FROM address_proofs WHERE ${stale})`)
      .bind(staleBefore),
    db.prepare(`DELETE FROM address_proofs WHERE ${stale}`).bind(staleBefore),
    db
      .prepare("INSERT INTO address_proofs (id, token_id, issuer, opened_at) VALUES (?, ?, ?, ?)")
      .bind(proof.id, proof.tokenId, proof.issuer, proof.openedAt),
    ...trials.map((trial, number) => insertTrial(db, proof.id, trial, number)),
  ]);
}

function insertTrial(db: D1Database, proofId: string, trial: DigestedTrial, number: number): D1PreparedStatement {
  const { digest, path, isUpgrade, forged, address, isRefusable } = trial;
  return db
    .prepare(
      `INSERT INTO address_trials (digest, proof_id, number, path, upgrade, forged, forged_address, refusable)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(digest, proofId, number, path, Number(isUpgrade), forged, address, Number(isRefusable));
}

/** Notes from where a request of an open proof came, once. False where there is none such that was not seen yet. */
export async function markSeen(
  db: D1Database,
  seen: { readonly digest: Bytes; readonly isUpgrade: boolean; readonly address: string | null },
  openedSince: EpochMs,
  now: EpochMs,
): Promise<boolean> {
  const row = await db
    .prepare(
      `UPDATE address_trials SET seen_at = ?1, seen_address = ?2
       WHERE digest = ?3 AND upgrade = ?4 AND seen_at IS NULL
         AND proof_id IN (SELECT id FROM address_proofs WHERE judged_at IS NULL AND opened_at >= ?5)
       RETURNING number`,
    )
    .bind(now, seen.address, seen.digest, Number(seen.isUpgrade), openedSince)
    .first();
  return row !== null;
}

const openProof = "id = ? AND token_id = ? AND judged_at IS NULL AND opened_at >= ?";

/** The issuer and the requests of a proof that this token opened and nobody judged; null where there is none. */
export async function findOpenProof(db: D1Database, id: string, tokenId: string, openedSince: EpochMs) {
  const [proofs, trials] = await db.batch<Record<string, unknown>>([
    db.prepare(`SELECT issuer FROM address_proofs WHERE ${openProof}`).bind(id, tokenId, openedSince),
    db.prepare("SELECT * FROM address_trials WHERE proof_id = ? ORDER BY number").bind(id),
  ]);
  const proof = proofs?.results[0] as { issuer: string } | undefined;
  if (proof === undefined) return null;
  return { issuer: proof.issuer, trials: (trials?.results ?? []).map(toSeenTrial) };
}

/** For a batch, which aborts unless the proof is still open: a proof is judged once. */
export function closeProof(
  db: D1Database,
  judged: { readonly id: string; readonly verdict: AddressVerdict; readonly at: EpochMs },
): D1PreparedStatement[] {
  const { id, verdict, at } = judged;
  return [
    must(db, "SELECT 1 FROM address_proofs WHERE id = ? AND judged_at IS NULL", id),
    db.prepare("UPDATE address_proofs SET judged_at = ?, verdict = ? WHERE id = ?").bind(at, verdict, id),
    db.prepare("DELETE FROM address_trials WHERE proof_id = ?").bind(id),
  ];
}

export interface JudgedProof {
  readonly token_id: string;
  readonly issuer: string;
  readonly judged_at: EpochMs;
  readonly verdict: "proven" | "disproven";
}

/** The last one that showed something. */
export async function loadLastProof(db: D1Database): Promise<JudgedProof | null> {
  return db
    .prepare(
      `SELECT token_id, issuer, judged_at, verdict FROM address_proofs WHERE verdict IN ('proven', 'disproven')
       ORDER BY judged_at DESC, id DESC LIMIT 1`,
    )
    .first<JudgedProof>();
}

function toSeenTrial(row: Record<string, unknown>): SeenTrial {
  const { path, upgrade, forged, forged_address, refusable, seen_at, seen_address } = row;
  return {
    path: String(path),
    isUpgrade: upgrade === 1,
    forged: String(forged),
    forgedAddress: textOrNull(forged_address),
    isRefusable: refusable === 1,
    isSeen: seen_at !== null,
    seenAddress: textOrNull(seen_address),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
