/** Projects in D1. */
import { type Project, type ProjectPatch, ProjectSettings, Repository } from "../../protocol/projects.ts";
import type { Made } from "../crypto/create-once.ts";
import { type Bytes, fromBlob } from "../lib/bytes.ts";
import { must } from "../lib/d1.ts";
import { type EpochMs, toTimestamp } from "../lib/time.ts";

interface ProjectRow {
  id: string;
  name: string;
  repository: string;
  settings: string;
  revision: number;
  request_mac: ArrayBuffer | number[];
  created_at: number;
  created_by: string;
}

const columns = "id, name, repository, settings, revision, request_mac, created_at, created_by";

export async function findProject(db: D1Database, id: string): Promise<Made<Project> | null> {
  const row = await db.prepare(`SELECT ${columns} FROM projects WHERE id = ?`).bind(id).first<ProjectRow>();
  if (row === null) return null;
  return { value: toProject(row), createdBy: row.created_by, requestMac: fromBlob(row.request_mac) };
}

/** For a batch; `toProject` reads its row. */
export function selectProjectOfJob(db: D1Database, jobId: string): D1PreparedStatement {
  return db
    .prepare(`SELECT ${columns} FROM projects WHERE id = (SELECT project_id FROM jobs WHERE id = ?)`)
    .bind(jobId);
}

/** Days for which the job's project keeps logs; null where there is no such job. */
export async function retentionDaysOf(db: D1Database, jobId: string): Promise<number | null> {
  const row = await selectProjectOfJob(db, jobId).first();
  return row === null ? null : toProject(row).settings.log_retention_days;
}

/** Projects after `afterId`, of the whole organization or `onlyId` alone. */
export async function listProjects(
  db: D1Database,
  query: { onlyId: string | null; name: string | null; afterId: string; limit: number },
): Promise<Project[]> {
  const { results } = await db
    .prepare(
      `SELECT ${columns} FROM projects
       WHERE id > ?1 AND (?2 IS NULL OR id = ?2) AND (?3 IS NULL OR name = ?3) ORDER BY id LIMIT ?4`,
    )
    .bind(query.afterId, query.onlyId, query.name, query.limit)
    .all<ProjectRow>();
  return results.map((row) => toProject(row));
}

export function insertProject(db: D1Database, project: Project, requestMac: Bytes, now: EpochMs): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO projects
         (id, name, repository_name, repository, settings, revision, request_mac, created_at, created_by)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      project.id,
      project.name,
      project.repository.name,
      JSON.stringify(project.repository),
      JSON.stringify(project.settings),
      project.revision,
      requestMac,
      now,
      project.created_by,
    );
}

/**
 * Changes the settings that a patch names, whatever the others have become meanwhile (RFC 7396, in one statement).
 * With a revision, only that one: the batch aborts where there is a newer.
 */
export function patchSettings(db: D1Database, id: string, patch: ProjectPatch, revision: number | null) {
  const merge = "UPDATE projects SET settings = json_patch(settings, ?), revision = revision + 1 WHERE id = ?";
  return [
    ...(revision === null ? [] : [must(db, "SELECT 1 FROM projects WHERE id = ? AND revision = ?", id, revision)]),
    db.prepare(merge).bind(JSON.stringify(patch), id),
    db.prepare(`SELECT ${columns} FROM projects WHERE id = ?`).bind(id),
  ];
}

/** What a batch that ends in `patchSettings` answers: the project as it is now. */
export function patchedProject(results: readonly D1Result[]): Project {
  return toProject(results.at(-1)?.results[0]);
}

export function toProject(raw: unknown): Project {
  const row = raw as ProjectRow;
  return {
    id: row.id,
    name: row.name,
    repository: Repository.parse(JSON.parse(row.repository)),
    settings: ProjectSettings.parse(JSON.parse(row.settings)),
    revision: row.revision,
    created_at: toTimestamp(row.created_at),
    created_by: row.created_by,
  };
}
