/** Agent types and their registration tokens in D1. */
import { type AgentType, AgentTypePolicy, type RegistrationToken } from "../../protocol/agent-types.ts";
import type { Made } from "../crypto/create-once.ts";
import { type Bytes, fromBlob } from "../lib/bytes.ts";
import { must } from "../lib/d1.ts";
import { type EpochMs, toTimestamp, toTimestampOrNull } from "../lib/time.ts";

interface TypeRow {
  id: string;
  name: string;
  policy: string;
  certificates: string | null;
  revision: number;
  request_mac: ArrayBuffer | number[];
  created_at: number;
  created_by: string;
}

const columns = "t.id, t.name, t.policy, t.certificates, t.revision, t.request_mac, t.created_at, t.created_by";

export async function findAgentType(db: D1Database, id: string): Promise<Made<AgentType> | null> {
  return toStored(await db.prepare(`SELECT ${columns} FROM agent_types t WHERE t.id = ?`).bind(id).first<TypeRow>());
}

export async function findAgentTypeByName(db: D1Database, name: string): Promise<Made<AgentType> | null> {
  return toStored(
    await db.prepare(`SELECT ${columns} FROM agent_types t WHERE t.name = ?`).bind(name).first<TypeRow>(),
  );
}

/** Types after `afterId`: all of them, or those that take jobs of one project. */
export async function listAgentTypes(
  db: D1Database,
  query: { projectId: string | null; name: string | null; afterId: string; limit: number },
): Promise<AgentType[]> {
  const { results } = await db
    .prepare(
      `SELECT ${columns} FROM agent_types t
       WHERE t.id > ?1 AND (?2 IS NULL OR t.name = ?2) AND (?3 IS NULL OR EXISTS (
         SELECT 1 FROM agent_type_projects p WHERE p.agent_type_id = t.id AND p.project_id = ?3))
       ORDER BY t.id LIMIT ?4`,
    )
    .bind(query.afterId, query.name, query.projectId, query.limit)
    .all<TypeRow>();
  return results.map(toAgentType);
}

export function insertAgentType(db: D1Database, agentType: AgentType, requestMac: Bytes, now: EpochMs) {
  const { id, name, policy, certificates, revision, created_by } = agentType;
  return [
    db
      .prepare(
        `INSERT INTO agent_types (id, name, policy, certificates, revision, request_mac, created_at, created_by)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .bind(id, name, JSON.stringify(policy), toText(certificates), revision, requestMac, now, created_by),
    db
      .prepare("INSERT INTO agent_type_projects (agent_type_id, project_id) SELECT ?, value FROM json_each(?)")
      .bind(id, JSON.stringify([...new Set(policy.project_ids)])),
  ];
}

/** For a batch, which aborts where `revision` (null: any) is not the stored one; `changedAgentType` reads what it answers. */
export function replaceCertificates(
  db: D1Database,
  id: string,
  certificates: AgentType["certificates"],
  revision: number | null,
): D1PreparedStatement[] {
  return [
    must(db, "SELECT 1 FROM agent_types WHERE id = ?1 AND (?2 IS NULL OR revision = ?2)", id, revision),
    db
      .prepare("UPDATE agent_types SET certificates = ?, revision = revision + 1 WHERE id = ?")
      .bind(toText(certificates), id),
    db.prepare(`SELECT ${columns} FROM agent_types t WHERE t.id = ?`).bind(id),
  ];
}

/** What a batch that ends in `replaceCertificates` answers: the type as it is now. */
export function changedAgentType(results: readonly D1Result[]): AgentType {
  return toAgentType(results.at(-1)?.results[0] as TypeRow);
}

/** For a batch; `toCertificates` reads its rows. */
export function selectCertificates(db: D1Database): D1PreparedStatement {
  return db.prepare("SELECT id, certificates FROM agent_types WHERE certificates IS NOT NULL");
}

export function toCertificates(rows: readonly Record<string, unknown>[]): Map<string, string[]> {
  return new Map(rows.map(({ id, certificates }) => [String(id), JSON.parse(String(certificates))]));
}

export interface NewRegistrationToken {
  readonly id: string;
  readonly agentTypeId: string;
  readonly digest: Bytes;
  readonly uses: number | null;
  readonly expiresAt: EpochMs | null;
  readonly requestMac: Bytes;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
}

export function insertRegistrationToken(db: D1Database, token: NewRegistrationToken): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO registration_tokens
         (id, agent_type_id, digest, uses_left, expires_at, request_mac, created_at, created_by)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      token.id,
      token.agentTypeId,
      token.digest,
      token.uses,
      token.expiresAt,
      token.requestMac,
      token.createdAt,
      token.createdBy,
    );
}

/** What a create with this id left behind; the token itself was shown once. */
export async function findRegistrationToken(db: D1Database, id: string): Promise<Made<RegistrationToken> | null> {
  const row = await db
    .prepare(
      `SELECT id, agent_type_id, uses_left, expires_at, request_mac, created_at, created_by
       FROM registration_tokens WHERE id = ?`,
    )
    .bind(id)
    .first<{
      id: string;
      agent_type_id: string;
      uses_left: number | null;
      expires_at: number | null;
      request_mac: number[];
      created_at: number;
      created_by: string;
    }>();
  if (row === null) return null;
  const value: RegistrationToken = {
    id: row.id,
    agent_type_id: row.agent_type_id,
    uses_left: row.uses_left,
    expires_at: toTimestampOrNull(row.expires_at),
    created_at: toTimestamp(row.created_at),
  };
  return { value, createdBy: row.created_by, requestMac: fromBlob(row.request_mac) };
}

export interface LiveRegistration {
  readonly id: string;
  readonly agentTypeId: string;
  /** The agent of this name that registered with the same token and never synced, or null. */
  readonly unsyncedAgentId: string | null;
}

/** How long a registration whose answer may have been lost can be repeated without counting again. */
const repeatableSeconds = 300;

/**
 * A registration token that still registers; one that is used up does so for a repeat alone, and one whose maker was
 * revoked not at all.
 */
export async function findLiveRegistration(db: D1Database, digest: Bytes, agentName: string, now: EpochMs) {
  const row = await db
    .prepare(
      `SELECT r.id, r.agent_type_id, r.uses_left,
         (SELECT a.id FROM agents a WHERE a.registration_token_id = r.id AND a.name = ?2 AND a.last_sync_at IS NULL
            AND a.disconnected_at IS NULL AND a.registered_at > ?4) AS unsynced
       FROM registration_tokens r JOIN api_tokens maker ON maker.id = r.created_by
       WHERE r.digest = ?1 AND (r.expires_at IS NULL OR r.expires_at > ?3) AND maker.revoked_at IS NULL`,
    )
    .bind(digest, agentName, now, now - repeatableSeconds * 1000)
    .first<{ id: string; agent_type_id: string; uses_left: number | null; unsynced: string | null }>();
  if (row === null || (row.uses_left === 0 && row.unsynced === null)) return null;
  return { id: row.id, agentTypeId: row.agent_type_id, unsyncedAgentId: row.unsynced } satisfies LiveRegistration;
}

/** Counts one registration; the batch aborts where none is left. */
export function useRegistration(db: D1Database, id: string): D1PreparedStatement[] {
  return [
    must(db, "SELECT 1 FROM registration_tokens WHERE id = ? AND (uses_left IS NULL OR uses_left > 0)", id),
    db
      .prepare("UPDATE registration_tokens SET uses_left = uses_left - 1 WHERE id = ? AND uses_left IS NOT NULL")
      .bind(id),
  ];
}

function toStored(row: TypeRow | null): Made<AgentType> | null {
  if (row === null) return null;
  return { value: toAgentType(row), createdBy: row.created_by, requestMac: fromBlob(row.request_mac) };
}

function toAgentType(row: TypeRow): AgentType {
  return {
    id: row.id,
    name: row.name,
    policy: AgentTypePolicy.parse(JSON.parse(row.policy)),
    certificates: row.certificates === null ? null : JSON.parse(row.certificates),
    revision: row.revision,
    created_at: toTimestamp(row.created_at),
    created_by: row.created_by,
  };
}

function toText(certificates: AgentType["certificates"]): string | null {
  return certificates === null ? null : JSON.stringify(certificates);
}
