/** Audit rows in D1. They are written inside the batch of the change that they tell of. */
import * as z from "zod";
import { toTimestamp } from "../lib/time.ts";
import { type AuditAction, type AuditRow, auditActions } from "./audit.ts";

const insert = `
  INSERT INTO audit (at, action, principal_kind, principal_id, project_id, job_id, key_id, details, digest)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const select = `
  SELECT seq, at, action, principal_kind, principal_id, project_id, job_id, key_id, details FROM audit
  WHERE seq < ?1 AND (?2 IS NULL OR job_id = ?2) AND (?3 IS NULL OR key_id = ?3) ORDER BY seq DESC LIMIT ?4`;

/** An audit row as it is shown. */
export const AuditRecord = z.object({
  seq: z.int(),
  at: z.string(),
  action: z.enum(auditActions),
  principal: z.object({ kind: z.string(), id: z.string() }),
  project_id: z.string().nullable(),
  job_id: z.string().nullable(),
  key_id: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
});
export type AuditRecord = z.infer<typeof AuditRecord>;

export function insertAudit(db: D1Database, row: AuditRow): D1PreparedStatement {
  return db
    .prepare(insert)
    .bind(
      row.at,
      row.action,
      row.principalKind,
      row.principalId,
      row.projectId,
      row.jobId,
      row.keyId,
      row.details,
      row.digest,
    );
}

/** What rows of one kind say of a job. */
export async function listDetailsOfJob(
  db: D1Database,
  jobId: string,
  action: AuditAction,
): Promise<Record<string, unknown>[]> {
  const { results } = await db
    .prepare("SELECT details FROM audit WHERE job_id = ? AND action = ?")
    .bind(jobId, action)
    .all<{ details: string }>();
  return results.map(({ details }) => JSON.parse(details) as Record<string, unknown>);
}

/** Newest first, before `beforeSeq`. */
export async function listAudit(
  db: D1Database,
  query: { beforeSeq: number; jobId: string | null; keyId: string | null; limit: number },
): Promise<AuditRecord[]> {
  const { results } = await db.prepare(select).bind(query.beforeSeq, query.jobId, query.keyId, query.limit).all<{
    seq: number;
    at: number;
    action: AuditAction;
    principal_kind: string;
    principal_id: string;
    project_id: string | null;
    job_id: string | null;
    key_id: string | null;
    details: string;
  }>();
  return results.map(({ principal_kind, principal_id, ...row }) => ({
    ...row,
    at: toTimestamp(row.at),
    principal: { kind: principal_kind, id: principal_id },
    details: JSON.parse(row.details) as Record<string, unknown>,
  }));
}
