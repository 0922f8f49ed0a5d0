/** What people may know of identity tokens: which were minted, whether one stands, and what one would say. */
import type { Introspection, LedgerEntry, ProjectLedgerEntry } from "../../protocol/identity.ts";
import type { IdentityPreview, IdentityPreviewRequest } from "../../protocol/identity-preview.ts";
import type { Job } from "../../protocol/jobs.ts";
import type { Listed, Page } from "../../protocol/list.ts";
import type { Person } from "../../protocol/principal.ts";
import type { Project } from "../../protocol/projects.ts";
import type { Organization } from "../accounts/accounts-store.ts";
import { requireMay } from "../accounts/permissions.ts";
import { activeKey } from "../crypto/signing.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { pagedNewestFirst } from "../lib/paging.ts";
import { toSeconds } from "../lib/time.ts";
import type { Projects } from "../projects/projects.ts";
import { contextOfJob } from "./claims.ts";
import { type IntrospectionPorts, introspect } from "./introspection.ts";
import { listMints, listProjectMints } from "./ledger-store.ts";
import { type PastToken, pastTokens } from "./past-tokens.ts";
import { previewIdentity } from "./preview.ts";

export interface JobIdentityPorts extends IntrospectionPorts {
  readonly jobs: Pick<Jobs, "show">;
  readonly projects: Pick<Projects, "show">;
  organization(): Promise<Organization>;
}

export interface JobIdentity {
  ledger(person: Person, jobId: string): Promise<LedgerEntry[]>;
  /** Every mint of a project, newest first; of one audience where it is named. */
  projectLedger(
    person: Person,
    projectId: string,
    audience: string | null,
    page: Page,
  ): Promise<Listed<ProjectLedgerEntry>>;
  /** The tokens that a job had, newest first, with the claims that they had. */
  pastTokens(person: Person, job: Job, project: Project): Promise<PastToken[]>;
  introspect(token: string): Promise<Introspection>;
  preview(person: Person, projectId: string, request: IdentityPreviewRequest): Promise<IdentityPreview>;
}

export function createJobIdentity(ports: JobIdentityPorts): JobIdentity {
  const { db, jobs, projects, signing, issuer, clock } = ports;
  return {
    introspect: (token) => introspect(ports, token),
    async ledger(person, jobId) {
      const job = await jobs.show(person, jobId);
      requireMay(person, "identity_ledger.read", job.project_id);
      return listMints(db, jobId);
    },
    async projectLedger(person, projectId, audience, page) {
      await projects.show(person, projectId);
      requireMay(person, "identity_ledger.read", projectId);
      const { items, next } = await pagedNewestFirst(page, async (beforeJti, limit) => {
        const mints = await listProjectMints(db, { projectId, audience, beforeJti, limit });
        return mints.map((mint) => ({ id: mint.jti, mint }));
      });
      return { items: items.map(({ mint }) => mint), next };
    },
    async pastTokens(person, job, project) {
      requireMay(person, "identity_ledger.read", job.project_id);
      return pastTokens(db, contextOfJob(issuer, await ports.organization(), project, job));
    },
    async preview(person, projectId, request) {
      const [project, org] = await Promise.all([projects.show(person, projectId), ports.organization()]);
      requireMay(person, "identity_preview.read", projectId);
      const now = toSeconds(clock());
      const kid = activeKey(signing.keys, now)?.kid ?? "";
      return previewIdentity({ issuer, org, project, actor: person.id, kid, now }, request);
    },
  };
}
