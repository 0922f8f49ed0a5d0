/** Jobs, their workflows and pipelines in D1. Every change of state is guarded by the state before it. */
import { GitContext } from "../../protocol/git-context.ts";
import type { Job, JobResult, JobState, LogDeletion } from "../../protocol/jobs.ts";
import { eachOf, inScope } from "../access-keys/access-keys-store.ts";
import type { Made } from "../crypto/create-once.ts";
import { type Bytes, fromBlob, fromHex, toHex } from "../lib/bytes.ts";
import { must } from "../lib/d1.ts";
import { type EpochMs, toTimestamp, toTimestampOrNull } from "../lib/time.ts";
import { isWatched, wasWatched } from "./feed-watch-store.ts";
import { sqlStatesBefore } from "./job-state.ts";

interface JobRow {
  id: string;
  project_id: string;
  workflow_id: string;
  pipeline_id: string;
  name: string;
  agent_type: string;
  git: string;
  state: JobState;
  result: JobResult | null;
  reason: string | null;
  agent_id: string | null;
  agent_name: string | null;
  agent_last_sync_at: number | null;
  claim_number: number;
  claimed_at: number | null;
  handed_over_at: number | null;
  fetch_closed_at: number | null;
  time_limit_seconds: number;
  created_at: number;
  created_by: string;
  started_at: number | null;
  finished_at: number | null;
  stop_requested_at: number | null;
  stop_reason: string | null;
  log_deleted_at: number | null;
  log_sha256: number[] | null;
}

/** A job with what only the server needs to know of it. */
export interface StoredJob {
  readonly job: Job;
  readonly agentTypeId: string;
  readonly claimedAt: EpochMs | null;
  /** This claim's agent was given the job, secrets and all. */
  readonly handedOver: boolean;
  readonly fetchClosed: boolean;
  readonly agentLastSyncAt: EpochMs | null;
  readonly stopReason: string | null;
}

/** Of the jobs table and what it names; other stores that select a job use it, so that a job has one shape. */
export const jobColumns = `j.id, j.project_id, p.workflow_id, j.pipeline_id, j.name, t.name AS agent_type, w.git,
  j.state, j.result, j.reason, j.agent_id, a.name AS agent_name, a.last_sync_at AS agent_last_sync_at, j.claim_number,
  j.claimed_at, j.handed_over_at, j.fetch_closed_at, j.time_limit_seconds, j.created_at, j.created_by, j.started_at, j.finished_at,
  j.stop_requested_at, j.stop_reason, j.log_deleted_at, j.log_sha256, j.agent_type_id`;

export const jobTables = `jobs j JOIN pipelines p ON p.id = j.pipeline_id JOIN workflows w ON w.id = p.workflow_id
  JOIN agent_types t ON t.id = j.agent_type_id LEFT JOIN agents a ON a.id = j.agent_id`;

export async function findJob(db: D1Database, id: string): Promise<StoredJob | null> {
  const row = await selectJob(db, id).first();
  return row === null ? null : toStoredJob(row);
}

/** For a batch; `toStoredJob` reads its row. */
export function selectJob(db: D1Database, id: string): D1PreparedStatement {
  return db.prepare(`SELECT ${jobColumns} FROM ${jobTables} WHERE j.id = ?`).bind(id);
}

/** What a start with this id left behind, in this project. */
export async function findMadeJob(db: D1Database, projectId: string, id: string): Promise<Made<Job> | null> {
  const row = await db
    .prepare(`SELECT ${jobColumns}, j.request_mac FROM ${jobTables} WHERE j.project_id = ? AND j.id = ?`)
    .bind(projectId, id)
    .first<Record<string, unknown> & { request_mac: number[] }>();
  if (row === null) return null;
  const { job } = toStoredJob(row);
  return { value: job, createdBy: job.created_by, requestMac: fromBlob(row.request_mac) };
}

/** A project's jobs, newest first, before `beforeId`. */
export async function listJobs(db: D1Database, projectId: string, beforeId: string, limit: number): Promise<Job[]> {
  const { results } = await db
    .prepare(`SELECT ${jobColumns} FROM ${jobTables} WHERE j.project_id = ? AND j.id < ? ORDER BY j.id DESC LIMIT ?`)
    .bind(projectId, beforeId, limit)
    .all();
  return results.map((row) => toStoredJob(row).job);
}

export interface NewJob {
  readonly job: Job;
  readonly agentTypeId: string;
  readonly sealedSpec: Bytes;
  /** Ids of the keys that it names, each with what it calls it. */
  readonly keys: readonly { readonly id: string; readonly name: string }[];
  readonly requestMac: Bytes;
  readonly createdAt: EpochMs;
}

/** Everything of a new job. The batch aborts where a key that it names has gone since it was looked up. */
export function insertJob(
  db: D1Database,
  { job, agentTypeId, sealedSpec, keys: named, requestMac, createdAt }: NewJob,
) {
  const keys = JSON.stringify(Object.fromEntries(named.map(({ id, name }) => [id, name])));
  return [
    must(
      db,
      `SELECT 1 WHERE ?2 = (SELECT count(*) FROM ${eachOf("?3")} access_keys.id = e.key WHERE ${inScope})`,
      job.project_id,
      named.length,
      keys,
    ),
    db
      .prepare("INSERT INTO workflows (id, project_id, git, created_at, created_by) VALUES (?, ?, ?, ?, ?)")
      .bind(job.workflow_id, job.project_id, JSON.stringify(job.git), createdAt, job.created_by),
    db
      .prepare("INSERT INTO pipelines (id, workflow_id, created_at) VALUES (?, ?, ?)")
      .bind(job.pipeline_id, job.workflow_id, createdAt),
    db
      .prepare(
        `INSERT INTO jobs (id, project_id, pipeline_id, name, agent_type_id, state, claim_number, time_limit_seconds,
           request_mac, created_at, created_by)
         VALUES (?, ?, ?, ?, ?, 'queued', 0, ?, ?, ?, ?) RETURNING ${isWatched}`,
      )
      .bind(
        job.id,
        job.project_id,
        job.pipeline_id,
        job.name,
        agentTypeId,
        job.time_limit_seconds,
        requestMac,
        createdAt,
        job.created_by,
      ),
    db.prepare("INSERT INTO job_specs (job_id, sealed) VALUES (?, ?)").bind(job.id, sealedSpec),
    db.prepare("INSERT INTO job_keys (job_id, key_id, name) SELECT ?, key, value FROM json_each(?)").bind(job.id, keys),
  ];
}

export async function findSealedSpec(db: D1Database, jobId: string): Promise<Bytes | null> {
  const sealed = await db
    .prepare("SELECT sealed FROM job_specs WHERE job_id = ?")
    .bind(jobId)
    .first<number[]>("sealed");
  return sealed === null ? null : fromBlob(sealed);
}

/** Asks the agent of a running job to stop it. Nothing changes where it was asked before. */
export function requestStop(db: D1Database, id: string, reason: string, now: EpochMs): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE jobs SET state = 'stopping', stop_requested_at = ?, stop_reason = ? WHERE id = ? AND state = 'running'
       RETURNING ${isWatched}`,
    )
    .bind(now, reason, id);
}

/** Ends a job that nobody runs. In a batch behind `requestStop` one of the two applies, whatever came between. */
export function stopQueued(db: D1Database, id: string, reason: string, now: EpochMs): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE jobs SET state = 'finished', result = 'stopped', reason = ?, finished_at = ?, stop_requested_at = ?
       WHERE id = ? AND state = 'queued' RETURNING ${isWatched}`,
    )
    .bind(reason, now, now, id);
}

export interface Finish {
  readonly id: string;
  readonly result: JobResult;
  readonly reason: string | null;
  /** The claim that the end belongs to; an end that a later claim has overtaken changes nothing. */
  readonly claimNumber: number;
}

/** Ends a job, once: the first result stands. Its masks are no longer anybody's. */
export function finishJob(db: D1Database, finish: Finish, now: EpochMs): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE jobs SET state = 'finished', result = ?, reason = ?, finished_at = ?, mask_key_id = NULL
       WHERE id = ? AND claim_number = ? AND state IN (${sqlStatesBefore("finish")}) RETURNING ${isWatched}`,
    )
    .bind(finish.result, finish.reason, now, finish.id, finish.claimNumber);
}

/** Gives a claimed job back to the queue, whose agent never saw it: a second hand-over would be a second run. */
export function releaseJob(db: D1Database, id: string, claimNumber: number): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE jobs SET state = 'queued', agent_id = NULL, claimed_at = NULL, handed_over_at = NULL, started_at = NULL
       WHERE id = ? AND claim_number = ? AND handed_over_at IS NULL AND fetch_closed_at IS NULL
         AND state IN (${sqlStatesBefore("release")}) RETURNING ${isWatched}`,
    )
    .bind(id, claimNumber);
}

/** Jobs that no agent took in time, the oldest first. */
export async function findNeverTaken(db: D1Database, createdBefore: number, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare("SELECT id FROM jobs WHERE state = 'queued' AND created_at < ? ORDER BY created_at, id LIMIT ?")
    .bind(createdBefore, limit)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Ends those of these jobs that no agent has taken yet; answers which, and whether the feed was watched. */
export async function finishNeverTaken(db: D1Database, ids: readonly string[], reason: string, now: EpochMs) {
  const ended = await db
    .prepare(
      `UPDATE jobs SET state = 'finished', result = 'failed', reason = ?, finished_at = ?
       WHERE state = 'queued' AND id IN (SELECT value FROM json_each(?)) RETURNING id, ${isWatched}`,
    )
    .bind(reason, now, JSON.stringify(ids))
    .all<{ id: string }>();
  return { ids: ended.results.map((row) => row.id), watched: wasWatched(ended) };
}

/** From then on its log is known to be gone; the first word of it stands. */
export async function markLogDeleted(
  db: D1Database,
  id: string,
  { at, sha256 }: { readonly at: EpochMs; readonly sha256: string },
): Promise<void> {
  await db
    .prepare("UPDATE jobs SET log_deleted_at = ?, log_sha256 = ? WHERE id = ? AND log_deleted_at IS NULL")
    .bind(at, fromHex(sha256), id)
    .run();
}

function toLogDeletion({ log_deleted_at, log_sha256 }: JobRow): LogDeletion | null {
  if (log_deleted_at === null || log_sha256 === null) return null;
  return { at: toTimestamp(log_deleted_at), sha256: toHex(fromBlob(log_sha256)) };
}

export function toStoredJob(raw: Record<string, unknown>): StoredJob {
  const row = raw as unknown as JobRow & { agent_type_id: string };
  return {
    job: {
      id: row.id,
      project_id: row.project_id,
      workflow_id: row.workflow_id,
      pipeline_id: row.pipeline_id,
      name: row.name,
      agent_type: row.agent_type,
      git: GitContext.parse(JSON.parse(row.git)),
      state: row.state,
      result: row.result,
      reason: row.reason,
      claim_number: row.claim_number,
      agent: row.agent_id === null ? null : { id: row.agent_id, name: row.agent_name ?? "" },
      time_limit_seconds: row.time_limit_seconds,
      created_at: toTimestamp(row.created_at),
      created_by: row.created_by,
      started_at: toTimestampOrNull(row.started_at),
      finished_at: toTimestampOrNull(row.finished_at),
      stop_requested_at: toTimestampOrNull(row.stop_requested_at),
      log_deletion: toLogDeletion(row),
    },
    agentTypeId: row.agent_type_id,
    claimedAt: row.claimed_at as EpochMs | null,
    handedOver: row.handed_over_at !== null,
    fetchClosed: row.fetch_closed_at !== null,
    agentLastSyncAt: row.agent_last_sync_at as EpochMs | null,
    stopReason: row.stop_reason,
  };
}
