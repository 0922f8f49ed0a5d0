/** The claims of an identity token, from what is known of its job. Pure but for hashing; `now` is passed in. */
import type { OrganizationSettings } from "../../protocol/accounts.ts";
import { type ClaimedRefType, type GitContext, shortRef } from "../../protocol/git-context.ts";
import { type ClaimName, type IdentityClaims, securityClaims } from "../../protocol/identity.ts";
import type { SubjectForm } from "../../protocol/identity-profiles.ts";
import type { Job } from "../../protocol/jobs.ts";
import type { EpochSeconds } from "../lib/time.ts";
import { type SubjectParts, subject, subject127 } from "./subject.ts";

export interface IdentityContext {
  readonly issuer: string;
  readonly org: { readonly id: string; readonly name: string; readonly settings?: OrganizationSettings };
  readonly project: { readonly id: string; readonly name: string };
  readonly repository: { readonly name: string; readonly slug: string };
  readonly git: GitContext;
  readonly workflowId: string;
  readonly pipelineId: string;
  readonly jobId: string;
  /** Member or token id of whoever started the job. */
  readonly actor: string;
}

/** Of a job that there is; preview.ts makes that of a job that might be. */
export function contextOfJob(
  issuer: string,
  org: IdentityContext["org"],
  project: IdentityContext["project"] & { readonly repository: IdentityContext["repository"] },
  job: Job,
): IdentityContext {
  return {
    issuer,
    org,
    project,
    repository: project.repository,
    git: job.git,
    workflowId: job.workflow_id,
    pipelineId: job.pipeline_id,
    jobId: job.id,
    actor: job.created_by,
  };
}

/** What differs from mint to mint. A repeated fetch brings the same, and so gets the same token. */
export interface Mint {
  readonly jti: string;
  readonly aud: string;
  readonly issuedAt: EpochSeconds;
  readonly expiresAt: EpochSeconds;
}

/** Verifiers whose clock is behind by this much still take a fresh token. */
const notBeforeSkewSeconds = 5;
const prTitleChars = 200;

export async function identityClaims(
  context: IdentityContext,
  mint: Mint,
  form: SubjectForm = "semaphore",
): Promise<IdentityClaims> {
  const { git } = context;
  const parts = {
    org: context.org.name,
    projectId: context.project.id,
    repo: context.repository.name,
    refType: claimedRefType(git),
    ref: git.ref,
    ...(context.org.settings && { pullRequestWord: context.org.settings.pull_request_word }),
  };
  return {
    iss: context.issuer,
    aud: mint.aud,
    sub: await subjectOf(form, context, parts),
    exp: mint.expiresAt,
    iat: mint.issuedAt,
    nbf: mint.issuedAt - notBeforeSkewSeconds,
    jti: mint.jti,
    ...gitClaims(git),
    repo: context.repository.name,
    repo_slug: context.repository.slug,
    prj_id: context.project.id,
    prj: context.project.name,
    org_id: context.org.id,
    org: context.org.name,
    wf_id: context.workflowId,
    ppl_id: context.pipelineId,
    job_id: context.jobId,
    actor: context.actor,
    job_type: "pipeline_job",
    environment: "",
    runner_environment: "self-hosted",
    sub127: await subject127(parts),
  };
}

/** What of its claims a token carries: those chosen (null: all), and those that no token goes without. */
export function chosenClaims(claims: IdentityClaims, chosen: readonly ClaimName[] | null): Partial<IdentityClaims> {
  if (chosen === null) return claims;
  const kept = new Set<string>([...securityClaims, ...chosen]);
  return Object.fromEntries(Object.entries(claims).filter(([name]) => kept.has(name)));
}

function subjectOf(
  form: SubjectForm,
  { org, project }: IdentityContext,
  parts: SubjectParts,
): string | Promise<string> {
  switch (form) {
    case "semaphore":
      return subject(parts);
    case "sub127":
      return subject127(parts);
    case "id":
      return projectSubject(org.id, project.id);
  }
}

/** One for all jobs of a project, for relying parties that match exactly. */
export function projectSubject(orgId: string, projectId: string): string {
  return `org_id:${orgId}:prj_id:${projectId}`;
}

function claimedRefType(git: GitContext): ClaimedRefType {
  return git.fork ? "fork" : git.ref_type;
}

/** `branch` is set for branch builds alone: a pull request against main must not pass for main. */
function gitClaims(git: GitContext) {
  const pr = git.pull_request;
  return {
    ref: git.ref,
    ref_type: claimedRefType(git),
    ref_protected: String(git.ref_protected),
    branch: claimedRefType(git) === "branch" ? shortRef(git.ref) : "",
    tag: claimedRefType(git) === "tag" ? shortRef(git.ref) : "",
    pr: pr === null ? "" : prName(pr.number, pr.title),
    pr_number: pr === null ? "" : String(pr.number),
    pr_branch: pr === null ? "" : pr.branch,
    sha: git.sha,
    fork: String(git.fork),
    trg: git.trg,
    proof: git.proof,
  };
}

/** Cut between characters, not within one: half a surrogate pair is no JSON that strict parsers take. */
function prName(number: number, title: string): string {
  const name = `PR #${number}: ${title}`.replace(/\p{C}/gu, " ");
  return Array.from(name).slice(0, prTitleChars).join("");
}
