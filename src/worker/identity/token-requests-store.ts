/** What a job's request for a token reads, in one trip, and what its mint writes, in one guarded batch. */
import type { IdentityProfile } from "../../protocol/identity-profiles.ts";
import { limits } from "../../protocol/limits.ts";
import type { Project } from "../../protocol/projects.ts";
import { type Organization, selectOrganization, toOrganization } from "../accounts/accounts-store.ts";
import type { AuditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { type StoredJob, selectJob, toStoredJob } from "../jobs/jobs-store.ts";
import type { Bytes } from "../lib/bytes.ts";
import { must } from "../lib/d1.ts";
import { selectProjectOfJob, toProject } from "../projects/projects-store.ts";
import { insertMint, type NewMint } from "./ledger-store.ts";
import { selectProfilesOfJob, toProfile } from "./profiles-store.ts";

export interface TokenRequestRows {
  readonly job: StoredJob;
  readonly project: Project;
  readonly organization: Organization;
  readonly profiles: readonly IdentityProfile[];
  readonly mints: number;
}

export async function loadTokenRequest(
  db: D1Database,
  jobId: string,
  audience: string,
): Promise<TokenRequestRows | null> {
  const [jobs, projects, organizations, profiles, counts] = await db.batch<Record<string, unknown>>([
    selectJob(db, jobId),
    selectProjectOfJob(db, jobId),
    selectOrganization(db),
    selectProfilesOfJob(db, jobId, audience),
    db.prepare("SELECT count(*) AS mints FROM identity_ledger WHERE job_id = ?").bind(jobId),
  ]);
  const job = jobs?.results[0];
  const organization = organizations?.results[0];
  if (job === undefined || organization === undefined) return null;
  return {
    job: toStoredJob(job),
    project: toProject(projects?.results[0]),
    organization: toOrganization(organization),
    profiles: (profiles?.results ?? []).map(toProfile),
    mints: Number(counts?.results[0]?.mints ?? 0),
  };
}

/**
 * The ledger row and its audit row, while the claim runs and has mints left, and while the key that sealed the
 * token's mask is still the one that seals; the batch aborts otherwise.
 */
export async function recordMint(db: D1Database, mint: NewMint, maskKeyId: Bytes, audit: AuditRow): Promise<void> {
  await db.batch([
    must(
      db,
      `SELECT 1 FROM jobs WHERE id = ?1 AND claim_number = ?2 AND state = 'running'
         AND (SELECT count(*) FROM identity_ledger WHERE job_id = ?1) < ?3
         AND EXISTS (SELECT 1 FROM sealing_state WHERE seals_with = ?4)`,
      mint.jobId,
      mint.claimNumber,
      limits.jobMints,
      maskKeyId,
    ),
    insertAudit(db, audit),
    insertMint(db, mint),
  ]);
}
