/** Identity profiles in D1. */
import { type IdentityProfile, IdentityProfileRules } from "../../protocol/identity-profiles.ts";
import { limits } from "../../protocol/limits.ts";
import type { Made } from "../crypto/create-once.ts";
import { type Bytes, fromBlob } from "../lib/bytes.ts";
import { must } from "../lib/d1.ts";
import { type EpochMs, toTimestamp } from "../lib/time.ts";

interface ProfileRow {
  id: string;
  project_id: string;
  name: string;
  profile: string;
  revision: number;
  request_mac: ArrayBuffer | number[];
  created_at: number;
  created_by: string;
}

const columns = "id, project_id, name, profile, revision, request_mac, created_at, created_by";

export async function findProfile(
  db: D1Database,
  projectId: string,
  id: string,
): Promise<Made<IdentityProfile> | null> {
  const row = await db
    .prepare(`SELECT ${columns} FROM identity_profiles WHERE project_id = ? AND id = ?`)
    .bind(projectId, id)
    .first<ProfileRow>();
  if (row === null) return null;
  return { value: toProfile(row), createdBy: row.created_by, requestMac: fromBlob(row.request_mac) };
}

export async function listProfiles(db: D1Database, projectId: string, afterId: string, limit: number) {
  const { results } = await db
    .prepare(`SELECT ${columns} FROM identity_profiles WHERE project_id = ? AND id > ? ORDER BY id LIMIT ?`)
    .bind(projectId, afterId, limit)
    .all<ProfileRow>();
  return results.map(toProfile);
}

/** The profiles of an audience in the project that a job belongs to. */
export function selectProfilesOfJob(db: D1Database, jobId: string, audience: string): D1PreparedStatement {
  return db
    .prepare(
      `SELECT ${columns} FROM identity_profiles
       WHERE project_id = (SELECT project_id FROM jobs WHERE id = ?) AND json_extract(profile, '$.audience') = ?
       ORDER BY id`,
    )
    .bind(jobId, audience);
}

/** Aborts the batch where the project has as many as it may have. */
export function mustHaveRoom(db: D1Database, projectId: string): D1PreparedStatement {
  const few = "SELECT 1 WHERE (SELECT count(*) FROM identity_profiles WHERE project_id = ?) < ?";
  return must(db, few, projectId, limits.identityProfiles);
}

export function insertProfile(db: D1Database, profile: IdentityProfile, requestMac: Bytes, now: EpochMs) {
  const { id, project_id, name, rules, revision, created_by } = profile;
  return db
    .prepare(`INSERT INTO identity_profiles (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
    .bind(id, project_id, name, JSON.stringify(rules), revision, requestMac, now, created_by);
}

export function deleteProfile(db: D1Database, projectId: string, id: string): D1PreparedStatement {
  return db.prepare("DELETE FROM identity_profiles WHERE project_id = ? AND id = ?").bind(projectId, id);
}

export function toProfile(row: unknown): IdentityProfile {
  const { id, project_id, name, profile, revision, created_at, created_by } = row as ProfileRow;
  const rules = IdentityProfileRules.parse(JSON.parse(profile));
  return { id, project_id, name, rules, revision, created_at: toTimestamp(created_at), created_by };
}
