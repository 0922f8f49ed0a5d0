/** Access keys in D1. Only ciphertext is written; lists never read it. */
import { type AccessKey, type AccessKeyType, KeyPolicy } from "../../protocol/access-keys.ts";
import type { Made } from "../crypto/create-once.ts";
import { type Bytes, fromBlob } from "../lib/bytes.ts";
import { must } from "../lib/d1.ts";
import { type EpochMs, toTimestamp, toTimestampOrNull } from "../lib/time.ts";
import { type SightingRow, sightingColumns, sightingOf } from "./key-sightings-store.ts";

interface KeyRow extends SightingRow {
  id: string;
  project_id: string | null;
  name: string;
  type: AccessKeyType;
  policy: string;
  public_key: string | null;
  fingerprint: string | null;
  comment: string | null;
  revision: number;
  secret_version: number;
  secret_bytes: number;
  created_at: number;
  created_by: string;
  changed_at: number | null;
  changed_by: string | null;
  last_used_at: number | null;
  last_used_job: string | null;
  request_mac: ArrayBuffer | number[];
}

/** A key without its secret, and how large the secret is. */
export interface StoredKey {
  readonly key: AccessKey;
  readonly secretBytes: number;
}

/** A key with its sealed record, for hand-over. */
export interface SealedKey extends StoredKey {
  readonly sealed: Bytes | null;
}

/** Where a key belongs: a project's id, or null for the organization. */
export type KeyScope = string | null;

/**
 * A project's own keys and the organization's that are shared with it, or the organization's own. `?1` is the scope. The
 * plus keeps SQLite from walking all keys of the organization where the few that are shared can be looked up by id.
 */
export const inScope = `(access_keys.project_id IS ?1 OR (+access_keys.project_id IS NULL AND access_keys.id IN (
  SELECT key_id FROM key_shares WHERE project_id = ?1)))`;

/** From what is asked for, a JSON text `e`, to its keys: SQLite else walks through all that the scope holds. */
export const eachOf = (json: string) => `json_each(${json}) e CROSS JOIN access_keys ON`;

/** Of a shared key a project sees its own use of it; which jobs another's were, it may not know. `?1` is the scope. */
const lastUsed = (column: "last_used_at" | "last_used_job") => `iif(access_keys.project_id IS ?1, access_keys.${column},
  (SELECT s.${column} FROM key_shares s WHERE s.key_id = access_keys.id AND s.project_id = ?1)) AS ${column}`;

const columns = `access_keys.id, project_id, name, access_keys.type, policy, public_key, fingerprint, comment, revision, secret_version,
  secret_bytes, created_at, created_by, changed_at, changed_by, ${lastUsed("last_used_at")}, ${lastUsed("last_used_job")}, ${sightingColumns}`;

export async function findKey(db: D1Database, scope: KeyScope, id: string): Promise<AccessKey | null> {
  const row = await db
    .prepare(`SELECT ${columns} FROM access_keys WHERE id = ?2 AND ${inScope}`)
    .bind(scope, id)
    .first<KeyRow>();
  return row === null ? null : toKey(row);
}

/** What a create with this id left behind. */
export async function findMadeKey(db: D1Database, scope: KeyScope, id: string): Promise<Made<AccessKey> | null> {
  const row = await db
    .prepare(`SELECT ${columns}, request_mac FROM access_keys WHERE project_id IS ?1 AND id = ?2`)
    .bind(scope, id)
    .first<KeyRow>();
  if (row === null) return null;
  return { value: toKey(row), createdBy: row.created_by, requestMac: fromBlob(row.request_mac) };
}

export async function listKeys(
  db: D1Database,
  query: { scope: KeyScope; name: string | null; afterId: string; limit: number },
): Promise<AccessKey[]> {
  const { results } = await db
    .prepare(
      `SELECT ${columns} FROM access_keys
       WHERE ${inScope} AND id > ?2 AND (?3 IS NULL OR name = ?3) ORDER BY id LIMIT ?4`,
    )
    .bind(query.scope, query.afterId, query.name, query.limit)
    .all<KeyRow>();
  return results.map(toKey);
}

/** The keys of these names that a project has or shares; a name that is missing from the answer does not exist there. */
export async function findKeysByName(
  db: D1Database,
  projectId: string,
  names: readonly string[],
): Promise<Map<string, StoredKey>> {
  if (names.length === 0) return new Map();
  const { results } = await db
    .prepare(`SELECT ${columns} FROM ${eachOf("?2")} access_keys.name = e.value WHERE ${inScope}`)
    .bind(projectId, JSON.stringify(names))
    .all<KeyRow>();
  return new Map(
    results.map((row) => [row.name, { key: toKey(row), secretBytes: row.secret_bytes } satisfies StoredKey]),
  );
}

/** The keys that a job named when it was started and that its project still has or shares, with their sealed records, by what the job calls them. */
export async function findKeysOfJob(db: D1Database, projectId: string, jobId: string) {
  const { results } = await db
    .prepare(
      `SELECT ${columns}, sealed, called
       FROM access_keys JOIN (SELECT key_id, name AS called FROM job_keys WHERE job_id = ?2) ON key_id = id
       WHERE ${inScope}`,
    )
    .bind(projectId, jobId)
    .all<KeyRow & { called: string; sealed: ArrayBuffer | number[] | null }>();
  return new Map(
    results.map((row) => {
      const sealed = row.sealed === null ? null : fromBlob(row.sealed);
      return [row.called, { key: toKey(row), secretBytes: row.secret_bytes, sealed } satisfies SealedKey];
    }),
  );
}

export interface NewKey {
  readonly key: AccessKey;
  readonly sealed: Bytes | null;
  readonly secretBytes: number;
  readonly requestMac: Bytes;
  readonly createdAt: EpochMs;
}

export function insertKey(db: D1Database, { key, sealed, secretBytes, requestMac, createdAt }: NewKey) {
  return db
    .prepare(
      `INSERT INTO access_keys
         (id, project_id, name, type, sealed, secret_bytes, secret_version, policy, revision, request_mac, created_at,
          created_by, public_key, fingerprint, comment)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      key.id,
      key.project_id,
      key.name,
      key.type,
      sealed,
      secretBytes,
      key.secret_version,
      JSON.stringify(key.policy),
      key.revision,
      requestMac,
      createdAt,
      key.created_by,
      key.public_key,
      key.fingerprint,
      key.comment,
    );
}

export interface KeyChange {
  readonly before: AccessKey;
  readonly after: AccessKey;
  /** Null: the secret stays. */
  readonly secret: { readonly sealed: Bytes | null; readonly bytes: number } | null;
  readonly changedAt: EpochMs;
}

/** The batch aborts unless each of these keys is still as it was read, and in the scope. */
export function mustBeUnchanged(db: D1Database, scope: KeyScope, keys: readonly AccessKey[]): D1PreparedStatement {
  const revisions = Object.fromEntries(keys.map(({ id, revision }) => [id, revision]));
  return must(
    db,
    `SELECT 1 WHERE ?2 = (SELECT count(*) FROM ${eachOf("?3")} access_keys.id = e.key AND access_keys.revision = e.value
       WHERE ${inScope})`,
    scope,
    Object.keys(revisions).length,
    JSON.stringify(revisions),
  );
}

/** Changes a key that is still as it was read; the batch aborts where it is not. */
export function updateKey(db: D1Database, { before, after, secret, changedAt }: KeyChange): D1PreparedStatement[] {
  const { id, project_id: scope, name, policy, revision, changed_by: changedBy } = after;
  return [
    mustBeThere(db, scope, id, before.revision),
    db
      .prepare("UPDATE access_keys SET name = ?, policy = ?, revision = ?, changed_at = ?, changed_by = ? WHERE id = ?")
      .bind(name, JSON.stringify(policy), revision, changedAt, changedBy, id),
    ...(secret === null
      ? []
      : [
          db
            .prepare(`UPDATE access_keys SET sealed = ?, secret_bytes = ?, secret_version = ?, public_key = ?, fingerprint = ?,
               comment = ? WHERE id = ?`)
            .bind(
              secret.sealed,
              secret.bytes,
              after.secret_version,
              after.public_key,
              after.fingerprint,
              after.comment,
              id,
            ),
        ]),
  ];
}

/** The batch aborts where the key is gone, or is no longer of the revision that is asked for (null: of any). */
export function mustBeThere(db: D1Database, scope: KeyScope, id: string, revision: number | null): D1PreparedStatement {
  const guard = "SELECT 1 FROM access_keys WHERE project_id IS ?1 AND id = ?2 AND (?3 IS NULL OR revision = ?3)";
  return must(db, guard, scope, id, revision);
}

/** Its shares go with it. */
export function deleteKey(db: D1Database, scope: KeyScope, id: string): D1PreparedStatement {
  return db.prepare("DELETE FROM access_keys WHERE project_id IS ? AND id = ?").bind(scope, id);
}

/** Remembers the last job that was handed each of these keys, and for shared ones the last of its project. */
export function touchKeys(
  db: D1Database,
  job: { readonly id: string; readonly project_id: string },
  keys: readonly AccessKey[],
  now: EpochMs,
): D1PreparedStatement[] {
  const ids = JSON.stringify(keys.map(({ id }) => id));
  const used = "SET last_used_at = ?, last_used_job = ? WHERE";
  return [
    db.prepare(`UPDATE access_keys ${used} id IN (SELECT value FROM json_each(?))`).bind(now, job.id, ids),
    db
      .prepare(`UPDATE key_shares ${used} project_id = ? AND key_id IN (SELECT value FROM json_each(?))`)
      .bind(now, job.id, job.project_id, ids),
  ];
}

function toKey(row: KeyRow): AccessKey {
  return {
    id: row.id,
    project_id: row.project_id,
    name: row.name,
    type: row.type,
    policy: KeyPolicy.parse(JSON.parse(row.policy)),
    public_key: row.public_key,
    fingerprint: row.fingerprint,
    comment: row.comment,
    revision: row.revision,
    secret_version: row.secret_version,
    created_at: toTimestamp(row.created_at),
    created_by: row.created_by,
    changed_at: toTimestampOrNull(row.changed_at),
    changed_by: row.changed_by,
    last_used_at: toTimestampOrNull(row.last_used_at),
    last_used_job: row.last_used_job,
    ...sightingOf(row),
  };
}
