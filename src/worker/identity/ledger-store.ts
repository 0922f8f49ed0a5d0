/** The ledger: a row for every mint, enough to sign the same token again, never the token. */
import type { LedgerEntry, ProjectLedgerEntry } from "../../protocol/identity.ts";
import { limits } from "../../protocol/limits.ts";
import type { DeadToken } from "../../protocol/signing-keys.ts";
import type { Bytes } from "../lib/bytes.ts";
import { lacksValue } from "../lib/d1.ts";
import { type EpochMs, toSeconds, toTimestamp } from "../lib/time.ts";
import type { Mint } from "./claims.ts";

interface LedgerRow {
  jti: string;
  kid: string;
  aud: string;
  sub: string;
  issued_at: number;
  expires_at: number;
  agent_id: string;
  claim_number: number;
}

export interface MintedToken extends Mint {
  readonly kid: string;
}

const columns = "jti, kid, aud, sub, issued_at, expires_at, agent_id, claim_number";

/** What the claim's default token was minted with, or null where it has none yet. */
export async function findDefaultMint(db: D1Database, jobId: string, claimNumber: number): Promise<MintedToken | null> {
  const row = await db
    .prepare(`SELECT ${columns} FROM identity_ledger WHERE job_id = ? AND claim_number = ? AND is_default = 1`)
    .bind(jobId, claimNumber)
    .first<LedgerRow>();
  return row === null ? null : toMint(row);
}

export interface NewMint extends MintedToken {
  readonly sub: string;
  readonly jobId: string;
  readonly claimNumber: number;
  readonly agentId: string;
}

const insertDefault = `
  INSERT INTO identity_ledger
    (jti, job_id, claim_number, agent_id, kid, aud, sub, issued_at, expires_at, is_default, project_id)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, (SELECT project_id FROM jobs WHERE id = ?2))
  ON CONFLICT (jti) DO NOTHING`;

/** A repeated fetch brings the jti that stands already; another jti for the same claim violates the unique index. */
export function insertDefaultMint(db: D1Database, mint: NewMint): D1PreparedStatement {
  return db.prepare(insertDefault).bind(...valuesOf(mint));
}

/** Where a guard does not hold there is no project, the column takes no NULL, and the batch is aborted. */
const insertAsked = `
  INSERT INTO identity_ledger
    (jti, job_id, claim_number, agent_id, kid, aud, sub, issued_at, expires_at, is_default, project_id)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, (
    SELECT project_id FROM jobs WHERE id = ?2 AND claim_number = ?3 AND state = 'running'
      AND (SELECT count(*) FROM identity_ledger WHERE job_id = ?2) < ?10
      AND EXISTS (SELECT 1 FROM sealing_state WHERE seals_with = ?11)))`;

/**
 * A token that a running job asked for, while its claim runs and has mints left, and while the key that sealed the
 * token's mask is still the one that seals. Else the batch is aborted, as `isMintRefused` tells.
 */
export function insertAskedMint(db: D1Database, mint: NewMint, maskKeyId: Bytes): D1PreparedStatement {
  return db.prepare(insertAsked).bind(...valuesOf(mint), limits.jobMints, maskKeyId);
}

export function isMintRefused(error: unknown): boolean {
  return lacksValue(error, "identity_ledger.project_id");
}

function valuesOf(mint: NewMint) {
  const { jti, jobId, claimNumber, agentId, kid, aud, sub, issuedAt, expiresAt } = mint;
  return [jti, jobId, claimNumber, agentId, kid, aud, sub, issuedAt * 1000, expiresAt * 1000] as const;
}

export async function listMints(db: D1Database, jobId: string): Promise<LedgerEntry[]> {
  const { results } = await db
    .prepare(`SELECT ${columns} FROM identity_ledger WHERE job_id = ? ORDER BY issued_at, jti`)
    .bind(jobId)
    .all<LedgerRow>();
  return results.map((row) => ({
    ...row,
    issued_at: toTimestamp(row.issued_at),
    expires_at: toTimestamp(row.expires_at),
  }));
}

export interface PastMint extends MintedToken {
  readonly sub: string;
  readonly isDefault: boolean;
}

/** A job's mints, newest first. */
export async function listPastMints(db: D1Database, jobId: string): Promise<PastMint[]> {
  const { results } = await db
    .prepare(`SELECT ${columns}, is_default FROM identity_ledger WHERE job_id = ? ORDER BY issued_at DESC, jti DESC`)
    .bind(jobId)
    .all<LedgerRow & { is_default: number }>();
  return results.map((row) => ({ ...toMint(row), sub: row.sub, isDefault: row.is_default === 1 }));
}

function toMint({ jti, kid, aud, issued_at, expires_at }: LedgerRow): MintedToken {
  const seconds = (at: number) => toSeconds(at as EpochMs);
  return { jti, kid, aud, issuedAt: seconds(issued_at), expiresAt: seconds(expires_at) };
}

/** One mint by its jti, and whether its job has ended. */
export async function findMintWithJob(db: D1Database, jti: string) {
  const row = await db
    .prepare(
      `SELECT l.jti, l.sub, l.aud, l.expires_at, l.job_id, j.state FROM identity_ledger l
         JOIN jobs j ON j.id = l.job_id WHERE l.jti = ?`,
    )
    .bind(jti)
    .first<{ jti: string; sub: string; aud: string; expires_at: number; job_id: string; state: string }>();
  if (row === null) return null;
  const { sub, aud, job_id: jobId } = row;
  return {
    jti: row.jti,
    sub,
    aud,
    expires_at: toTimestamp(row.expires_at),
    jobId,
    jobFinished: row.state === "finished",
  };
}

/** When the last token of each key expires; a key that signed none is missing. One step down an index for each. */
export async function lastExpiries(db: D1Database, kids: readonly string[]): Promise<Map<string, EpochMs>> {
  const { results } = await db
    .prepare(
      `SELECT value AS kid, (SELECT max(expires_at) FROM identity_ledger WHERE kid = value) AS expires_at
         FROM json_each(?)`,
    )
    .bind(JSON.stringify(kids))
    .all<{ kid: string; expires_at: EpochMs | null }>();
  return new Map(results.flatMap(({ kid, expires_at }) => (expires_at === null ? [] : [[kid, expires_at] as const])));
}

/** The keys that signed, by how long their tokens live, the longest first. One step down an index for each. */
const selectKids = `
  WITH RECURSIVE signed (kid) AS (
    SELECT min(kid) FROM identity_ledger
    UNION ALL
    SELECT (SELECT min(kid) FROM identity_ledger WHERE kid > signed.kid) FROM signed WHERE signed.kid IS NOT NULL
  )
  SELECT kid FROM signed WHERE kid IS NOT NULL
  ORDER BY (SELECT max(expires_at) FROM identity_ledger l WHERE l.kid = signed.kid) DESC LIMIT ?`;

export async function listKids(db: D1Database, limit: number): Promise<string[]> {
  const { results } = await db.prepare(selectKids).bind(limit).all<{ kid: string }>();
  return results.map(({ kid }) => kid);
}

export async function countLiveMints(db: D1Database, kid: string, now: EpochMs): Promise<number> {
  const live = "SELECT count(*) AS live FROM identity_ledger WHERE kid = ? AND expires_at > ?";
  return (await db.prepare(live).bind(kid, now).first<number>("live")) ?? 0;
}

/** The live tokens of a key that live longest. */
export async function listLiveMints(db: D1Database, kid: string, now: EpochMs): Promise<DeadToken[]> {
  const { results } = await db
    .prepare(
      `SELECT l.jti, l.kid, l.aud, l.sub, l.issued_at, l.expires_at, l.job_id, j.project_id
         FROM identity_ledger l JOIN jobs j ON j.id = l.job_id
       WHERE l.kid = ? AND l.expires_at > ? ORDER BY l.expires_at DESC, l.jti LIMIT ?`,
    )
    .bind(kid, now, limits.listItems)
    .all<Omit<DeadToken, "issued_at" | "expires_at"> & { issued_at: number; expires_at: number }>();
  return results.map((row) => ({
    ...row,
    issued_at: toTimestamp(row.issued_at),
    expires_at: toTimestamp(row.expires_at),
  }));
}

/** A project's mints, newest first, before `beforeJti`; of one audience where it is named. */
export async function listProjectMints(
  db: D1Database,
  query: { projectId: string; audience: string | null; beforeJti: string; limit: number },
): Promise<ProjectLedgerEntry[]> {
  const { results } = await db
    .prepare(
      `SELECT ${columns}, job_id FROM identity_ledger
       WHERE project_id = ?1 AND jti < ?2 AND (?3 IS NULL OR aud = ?3) ORDER BY jti DESC LIMIT ?4`,
    )
    .bind(query.projectId, query.beforeJti, query.audience, query.limit)
    .all<LedgerRow & { job_id: string }>();
  return results.map((row) => ({
    ...row,
    issued_at: toTimestamp(row.issued_at),
    expires_at: toTimestamp(row.expires_at),
  }));
}
