/** Agents in D1, and the queue: one guarded statement claims the oldest fitting job. */

import type { RegisterRequest, SyncRequest } from "../../protocol/agent-protocol.ts";
import type { Agent } from "../../protocol/agent-types.ts";
import { isWatched, wasWatched } from "../jobs/feed-watch-store.ts";
import { sqlStatesBefore } from "../jobs/job-state.ts";
import { jobColumns, jobTables, type StoredJob, toStoredJob } from "../jobs/jobs-store.ts";
import type { Bytes } from "../lib/bytes.ts";
import { must } from "../lib/d1.ts";
import { type EpochMs, toTimestamp, toTimestampOrNull } from "../lib/time.ts";

/** An agent as sync decides over it. */
export interface StoredAgent {
  readonly id: string;
  readonly agentTypeId: string;
  readonly name: string;
  readonly singleJob: boolean;
  readonly idleTimeoutSeconds: number;
  readonly interruptionGraceSeconds: number;
  readonly stateChangedAt: EpochMs;
  /** 0: not interrupted. */
  readonly interruptedAt: EpochMs;
}

interface AgentRow {
  id: string;
  agent_type_id: string;
  name: string;
  single_job: number;
  idle_timeout_seconds: number;
  interruption_grace_seconds: number;
  state_changed_at: number;
  interrupted_at: number;
}

const agentColumns = `id, agent_type_id, name, single_job, idle_timeout_seconds, interruption_grace_seconds,
  state_changed_at, interrupted_at`;

const touch = `
  UPDATE agents SET last_sync_at = ?2, state = ?3, interrupted_at = ?4,
    state_changed_at = CASE WHEN state = ?3 THEN state_changed_at ELSE ?2 END
  WHERE token_digest = ?1 AND disconnected_at IS NULL RETURNING ${agentColumns}`;

/**
 * The oldest job that the agent's type takes, for an agent that has none. Guarded by the job's state, so that of
 * many agents at once one wins (RELIABILITY P3). A single-job agent that has had its job gets no other.
 */
const claim = `
  UPDATE jobs SET state = 'running', claim_number = claim_number + 1, claimed_at = ?2, started_at = ?2,
    handed_over_at = NULL, fetch_closed_at = NULL, agent_id = (SELECT id FROM agents WHERE token_digest = ?1)
  WHERE state IN (${sqlStatesBefore("claim")}) AND id = (
    SELECT j.id FROM agents a
      JOIN jobs j ON j.agent_type_id = a.agent_type_id AND j.state = 'queued'
      JOIN agent_type_projects p ON p.agent_type_id = a.agent_type_id AND p.project_id = j.project_id
    WHERE a.token_digest = ?1 AND a.disconnected_at IS NULL AND a.interrupted_at = 0
      AND NOT EXISTS (SELECT 1 FROM jobs h WHERE h.agent_id = a.id AND (a.single_job OR h.state <> 'finished'))
    ORDER BY j.created_at, j.id LIMIT 1)
  RETURNING ${isWatched}`;

const assigned = `
  SELECT ${jobColumns} FROM ${jobTables}
  WHERE j.state IN ('running', 'stopping') AND a.token_digest = ?1 AND a.disconnected_at IS NULL`;

export interface SyncOfAgent {
  readonly digest: Bytes;
  readonly request: SyncRequest;
  /** Types whose agents may not come now: the batch aborts for one of theirs. */
  readonly closedTypes: readonly string[];
}

/**
 * One trip: touch the agent, claim where it waits, read what it has. `watched`: it claimed while somebody read the feed.
 * Null: no such agent.
 */
export async function syncAgent(db: D1Database, { digest, request, closedTypes }: SyncOfAgent, now: EpochMs) {
  const waits = request.state === "waiting-for-jobs";
  const guard = closedTypes.length === 0 ? [] : [mustNotBeOf(db, digest, closedTypes)];
  const results = await db.batch<Record<string, unknown>>([
    ...guard,
    db.prepare(touch).bind(digest, now, request.state, request.interrupted_at * 1000),
    ...(waits ? [db.prepare(claim).bind(digest, now)] : []),
    db.prepare(assigned).bind(digest),
  ]);
  const agent = results[guard.length]?.results[0];
  const job = results.at(-1)?.results[0];
  if (agent === undefined) return null;
  return {
    agent: toStoredAgent(agent),
    job: job === undefined ? null : toStoredJob(job),
    watched: wasWatched(...results),
  };
}

function mustNotBeOf(db: D1Database, digest: Bytes, types: readonly string[]): D1PreparedStatement {
  return must(
    db,
    `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM agents a WHERE a.token_digest = ? AND a.agent_type_id IN (
       SELECT value FROM json_each(?)))`,
    digest,
    JSON.stringify(types),
  );
}

/** An agent and the job that it has. Null: no such agent. */
export async function findAgentWithJob(db: D1Database, digest: Bytes) {
  const [agents, jobs] = await db.batch<Record<string, unknown>>([
    db.prepare(`SELECT ${agentColumns} FROM agents WHERE token_digest = ? AND disconnected_at IS NULL`).bind(digest),
    db.prepare(assigned).bind(digest),
  ]);
  const agent = agents?.results[0];
  const job = jobs?.results[0];
  if (agent === undefined) return null;
  return { agent: toStoredAgent(agent), job: job === undefined ? null : toStoredJob(job) };
}

/** A job that the agent had, whatever became of it. */
export async function findJobOfAgent(db: D1Database, agentId: string, jobId: string): Promise<StoredJob | null> {
  const row = await db
    .prepare(`SELECT ${jobColumns} FROM ${jobTables} WHERE j.id = ? AND j.agent_id = ?`)
    .bind(jobId, agentId)
    .first();
  return row === null ? null : toStoredJob(row);
}

/** The agent runs the job: it will not be handed over again. */
export function closeFetch(db: D1Database, jobId: string, claimNumber: number, now: EpochMs): D1PreparedStatement {
  return db
    .prepare("UPDATE jobs SET fetch_closed_at = ? WHERE id = ? AND claim_number = ? AND fetch_closed_at IS NULL")
    .bind(now, jobId, claimNumber);
}

export interface NewAgent {
  readonly id: string;
  readonly agentTypeId: string;
  readonly registrationTokenId: string;
  readonly tokenDigest: Bytes;
  readonly request: RegisterRequest;
  readonly registeredAt: EpochMs;
}

export function insertAgent(db: D1Database, agent: NewAgent): D1PreparedStatement {
  const { request } = agent;
  return db
    .prepare(
      `INSERT INTO agents (id, agent_type_id, registration_token_id, name, token_digest, version, os, arch, hostname,
         single_job, idle_timeout_seconds, interruption_grace_seconds, registered_at, state, state_changed_at,
         interrupted_at)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'registered', ?13, 0)`,
    )
    .bind(
      agent.id,
      agent.agentTypeId,
      agent.registrationTokenId,
      request.name,
      agent.tokenDigest,
      request.version,
      request.os,
      request.arch,
      request.hostname,
      request.single_job,
      request.idle_timeout,
      request.interruption_grace_period,
      agent.registeredAt,
    );
}

/** A registration whose answer was lost gets a new access token in the same row. */
export function replaceAgentToken(db: D1Database, id: string, digest: Bytes): D1PreparedStatement {
  return db.prepare("UPDATE agents SET token_digest = ? WHERE id = ? AND last_sync_at IS NULL").bind(digest, id);
}

/** Also one that has disconnected before; null: no such agent. */
export async function findAgent(db: D1Database, digest: Bytes) {
  const row = await db
    .prepare("SELECT id, agent_type_id FROM agents WHERE token_digest = ?")
    .bind(digest)
    .first<{ id: string; agent_type_id: string }>();
  return row === null ? null : { id: row.id, agentTypeId: row.agent_type_id };
}

/** The batch aborts where the agent has disconnected before. */
export function mustBeConnected(db: D1Database, id: string): D1PreparedStatement {
  return must(db, "SELECT 1 FROM agents WHERE id = ? AND disconnected_at IS NULL", id);
}

export function disconnectAgent(db: D1Database, id: string, now: EpochMs): D1PreparedStatement {
  return db.prepare("UPDATE agents SET disconnected_at = ? WHERE id = ? AND disconnected_at IS NULL").bind(now, id);
}

/** The connected agent of this name that has been silent since `silentSince`, or null. */
export async function findSilentNamesake(db: D1Database, agentTypeId: string, name: string, silentSince: number) {
  return db
    .prepare(
      `SELECT id FROM agents WHERE agent_type_id = ? AND name = ? AND disconnected_at IS NULL
         AND coalesce(last_sync_at, registered_at) < ?`,
    )
    .bind(agentTypeId, name, silentSince)
    .first<string>("id");
}

/** The job that an agent has, as far as ending it needs. */
export async function findAssignment(db: D1Database, agentId: string) {
  const row = await db
    .prepare("SELECT id, claim_number FROM jobs WHERE agent_id = ? AND state IN ('running', 'stopping')")
    .bind(agentId)
    .first<{ id: string; claim_number: number }>();
  return row === null ? null : { id: row.id, claimNumber: row.claim_number };
}

/** The agent type of a connected agent, or null where there is no such agent. */
export async function findTypeOfAgent(db: D1Database, id: string): Promise<string | null> {
  return db
    .prepare("SELECT agent_type_id FROM agents WHERE id = ? AND disconnected_at IS NULL")
    .bind(id)
    .first<string>("agent_type_id");
}

/** Connected agents that registered with a registration token which one of these API tokens made. */
export async function findAgentsMadeBy(db: D1Database, tokenIds: readonly string[]): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT a.id FROM agents a JOIN registration_tokens r ON r.id = a.registration_token_id
       WHERE a.disconnected_at IS NULL AND r.created_by IN (SELECT value FROM json_each(?))`,
    )
    .bind(JSON.stringify(tokenIds))
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

/** Drops agents without a job that have been silent since `silentSince`: their names are free again. */
export async function dropSilentAgents(db: D1Database, silentSince: number, now: EpochMs): Promise<void> {
  await db
    .prepare(
      `UPDATE agents SET disconnected_at = ?1 WHERE disconnected_at IS NULL
         AND coalesce(last_sync_at, registered_at) < ?2
         AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.agent_id = agents.id AND j.state IN ('running', 'stopping'))`,
    )
    .bind(now, silentSince)
    .run();
}

/** Connected agents after `afterId`: all of them, or those whose type serves one project. */
export async function listAgents(db: D1Database, projectId: string | null, afterId: string, limit: number) {
  const { results } = await db
    .prepare(
      `SELECT id, agent_type_id, name, version, os, arch, hostname, state, registered_at, last_sync_at, disconnected_at
       FROM agents WHERE id > ?1 AND disconnected_at IS NULL AND (?2 IS NULL OR agent_type_id IN (
         SELECT agent_type_id FROM agent_type_projects WHERE project_id = ?2))
       ORDER BY id LIMIT ?3`,
    )
    .bind(afterId, projectId, limit)
    .all<Agent & { registered_at: number; last_sync_at: number | null; disconnected_at: number | null }>();
  return results.map(
    (row): Agent => ({
      ...row,
      registered_at: toTimestamp(Number(row.registered_at)),
      last_sync_at: toTimestampOrNull(row.last_sync_at),
      disconnected_at: toTimestampOrNull(row.disconnected_at),
    }),
  );
}

function toStoredAgent(raw: Record<string, unknown>): StoredAgent {
  const row = raw as unknown as AgentRow;
  return {
    id: row.id,
    agentTypeId: row.agent_type_id,
    name: row.name,
    singleJob: row.single_job === 1,
    idleTimeoutSeconds: row.idle_timeout_seconds,
    interruptionGraceSeconds: row.interruption_grace_seconds,
    stateChangedAt: row.state_changed_at as EpochMs,
    interruptedAt: row.interrupted_at as EpochMs,
  };
}
