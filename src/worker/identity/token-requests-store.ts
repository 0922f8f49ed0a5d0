/** What a job's request for a token reads, in one trip, and what its mint writes, in one guarded batch. */
import type { IdentityProfile } from "../../protocol/identity-profiles.ts";
import type { Project } from "../../protocol/projects.ts";
import { type Organization, selectOrganization, toOrganization } from "../accounts/accounts-store.ts";
import type { AuditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { type StoredJob, selectJob, toStoredJob } from "../jobs/jobs-store.ts";
import type { Bytes } from "../lib/bytes.ts";
import { selectProjectOfJob, toProject } from "../projects/projects-store.ts";
import { insertAskedMint, type NewMint } from "./ledger-store.ts";
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

/** The ledger row and its audit row, both or neither: `isMintRefused` tells why. */
export async function recordMint(db: D1Database, mint: NewMint, maskKeyId: Bytes, audit: AuditRow): Promise<void> {
  await db.batch([insertAudit(db, audit), insertAskedMint(db, mint, maskKeyId)]);
}
