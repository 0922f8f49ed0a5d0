/** The organization, API tokens and socket tickets in D1. Tokens and tickets rest as SHA-256 digests. */
import { type ApiToken, type OrganizationPatch, OrganizationSettings } from "../../protocol/accounts.ts";
import type { Role } from "../../protocol/principal.ts";
import type { Made } from "../crypto/create-once.ts";
import { type Bytes, fromBlob } from "../lib/bytes.ts";
import { type EpochMs, toTimestamp, toTimestampOrNull } from "../lib/time.ts";

export interface Organization {
  readonly id: string;
  readonly name: string;
  readonly settings: OrganizationSettings;
}

interface TokenRow {
  id: string;
  name: string;
  role: Role;
  project_id: string | null;
  expires_at: number | null;
  created_at: number;
  created_by: string | null;
  revoked_at: number | null;
  request_mac: ArrayBuffer | number[];
}

const tokenColumns = "id, name, role, project_id, expires_at, created_at, created_by, revoked_at, request_mac";

const liveToken = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)";

export async function loadOrganization(db: D1Database): Promise<Organization | null> {
  const row = await selectOrganization(db).first();
  return row === null ? null : toOrganization(row);
}

/** For a batch; `toOrganization` reads its row. */
export function selectOrganization(db: D1Database): D1PreparedStatement {
  return db.prepare("SELECT id, name, settings FROM organization");
}

export function toOrganization(row: Record<string, unknown>): Organization {
  const { id, name, settings } = row as { id: string; name: string; settings: string };
  return { id, name, settings: OrganizationSettings.parse(JSON.parse(settings)) };
}

/** Changes the settings that a patch names, and answers the organization as it is then (RFC 7396, in one statement). */
export function patchOrganization(db: D1Database, patch: OrganizationPatch): D1PreparedStatement {
  return db
    .prepare("UPDATE organization SET settings = json_patch(settings, ?) RETURNING id, name, settings")
    .bind(JSON.stringify(patch));
}

export async function findLiveToken(db: D1Database, digest: Bytes, now: EpochMs): Promise<ApiToken | null> {
  const row = await db
    .prepare(`SELECT ${tokenColumns} FROM api_tokens WHERE digest = ?1 AND ${liveToken}`)
    .bind(digest, now)
    .first<TokenRow>();
  return row === null ? null : toToken(row);
}

/** Those of these tokens that are neither revoked nor ended, in no order. */
export async function listLiveTokens(db: D1Database, ids: readonly string[], now: EpochMs): Promise<ApiToken[]> {
  const { results } = await db
    .prepare(`SELECT ${tokenColumns} FROM api_tokens WHERE id IN (SELECT value FROM json_each(?1)) AND ${liveToken}`)
    .bind(JSON.stringify(ids), now)
    .all<TokenRow>();
  return results.map(toToken);
}

export async function findToken(db: D1Database, id: string): Promise<Made<ApiToken> | null> {
  const row = await db.prepare(`SELECT ${tokenColumns} FROM api_tokens WHERE id = ?`).bind(id).first<TokenRow>();
  if (row === null) return null;
  return { value: toToken(row), createdBy: row.created_by, requestMac: fromBlob(row.request_mac) };
}

/** Tokens of one project, or of everything where `projectId` is null; oldest first, after `afterId`. */
export async function listTokens(db: D1Database, projectId: string | null, afterId: string, limit: number) {
  const { results } = await db
    .prepare(
      `SELECT ${tokenColumns} FROM api_tokens WHERE id > ?1 AND (?2 IS NULL OR project_id = ?2) ORDER BY id LIMIT ?3`,
    )
    .bind(afterId, projectId, limit)
    .all<TokenRow>();
  return results.map(toToken);
}

export interface NewToken {
  readonly id: string;
  readonly digest: Bytes;
  readonly name: string;
  readonly role: Role;
  readonly projectId: string | null;
  readonly expiresAt: EpochMs | null;
  readonly requestMac: Bytes;
  readonly createdAt: EpochMs;
  readonly createdBy: string | null;
}

export function insertToken(db: D1Database, token: NewToken): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO api_tokens (id, digest, name, role, project_id, expires_at, request_mac, created_at, created_by)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      token.id,
      token.digest,
      token.name,
      token.role,
      token.projectId,
      token.expiresAt,
      token.requestMac,
      token.createdAt,
      token.createdBy,
    );
}

export function revokeToken(db: D1Database, id: string, now: EpochMs): D1PreparedStatement {
  return db.prepare("UPDATE api_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL").bind(now, id);
}

/** Revokes every token made with this one, and with those; not this one itself. Answers which. */
export function revokeMade(db: D1Database, id: string, now: EpochMs): D1PreparedStatement {
  return db
    .prepare(
      `WITH RECURSIVE made (id) AS (
         SELECT id FROM api_tokens WHERE created_by = ?2
         UNION SELECT t.id FROM api_tokens t JOIN made m ON t.created_by = m.id)
       UPDATE api_tokens SET revoked_at = ?1 WHERE revoked_at IS NULL AND id IN (SELECT id FROM made) RETURNING id`,
    )
    .bind(now, id);
}

export function insertOrganization(db: D1Database, organization: Organization, now: EpochMs): D1PreparedStatement {
  return db
    .prepare("INSERT INTO organization (singleton, id, name, created_at) VALUES (1, ?, ?, ?)")
    .bind(organization.id, organization.name, now);
}

export function insertBootstrap(db: D1Database, digest: Bytes, tokenId: string, now: EpochMs): D1PreparedStatement {
  return db.prepare("INSERT INTO bootstraps (digest, token_id, at) VALUES (?, ?, ?)").bind(digest, tokenId, now);
}

export interface NewTicket {
  readonly digest: Bytes;
  readonly purpose: string;
  readonly jobId: string | null;
  readonly tokenId: string;
  readonly expiresAt: EpochMs;
}

/** Stores a ticket, and sweeps those that expired: there is no other work to sweep them. */
export async function insertTicket(db: D1Database, ticket: NewTicket, now: EpochMs): Promise<void> {
  await db.batch([
    db.prepare("DELETE FROM socket_tickets WHERE expires_at <= ?").bind(now),
    db
      .prepare("INSERT INTO socket_tickets (digest, purpose, job_id, token_id, expires_at) VALUES (?, ?, ?, ?, ?)")
      .bind(ticket.digest, ticket.purpose, ticket.jobId, ticket.tokenId, ticket.expiresAt),
  ]);
}

/** Takes a ticket out, so that it opens one socket only; null where there is none, or its maker may no more. */
export async function takeTicket(db: D1Database, digest: Bytes, purpose: string, now: EpochMs) {
  const [taken, makers] = await db.batch([
    db
      .prepare("SELECT job_id FROM socket_tickets WHERE digest = ?1 AND purpose = ?2 AND expires_at > ?3")
      .bind(digest, purpose, now),
    db
      .prepare(
        `SELECT ${tokenColumns} FROM api_tokens WHERE id = (SELECT token_id FROM socket_tickets WHERE digest = ?1)
       AND ${liveToken}`,
      )
      .bind(digest, now),
    db.prepare("DELETE FROM socket_tickets WHERE digest = ?").bind(digest),
  ]);
  const ticket = taken?.results[0] as { job_id: string | null } | undefined;
  const maker = makers?.results[0] as TokenRow | undefined;
  if (ticket === undefined || maker === undefined) return null;
  return { jobId: ticket.job_id, token: toToken(maker) };
}

function toToken(row: TokenRow): ApiToken {
  const { request_mac: _, expires_at, created_at, revoked_at, ...rest } = row;
  return {
    ...rest,
    expires_at: toTimestampOrNull(expires_at),
    created_at: toTimestamp(created_at),
    revoked_at: toTimestampOrNull(revoked_at),
  };
}
