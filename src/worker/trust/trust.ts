/** Cloud trust over the API: what src/trust computes, for projects and jobs of this organization. */
import type { IdentityClaims } from "../../protocol/identity.ts";
import type { SubjectForm } from "../../protocol/identity-profiles.ts";
import type { Person } from "../../protocol/principal.ts";
import type { Project } from "../../protocol/projects.ts";
import type {
  GeneratedTrust,
  TokenClaims,
  TrustExplainRequest,
  TrustExplanation,
  TrustGenerateRequest,
  TrustLint,
  TrustLintRequest,
} from "../../protocol/trust.ts";
import { PolicyError } from "../../trust/policy-error.ts";
import { idSubject, type TrustedProject } from "../../trust/subject.ts";
import { claimsOfJwt, refuseDeepClaims, type Seconds } from "../../trust/token.ts";
import { explainTrust, generateTrust, lintTrust } from "../../trust/trust.ts";
import type { Organization } from "../accounts/accounts-store.ts";
import { requireMay } from "../accounts/permissions.ts";
import { contextOfJob, identityClaims } from "../identity/claims.ts";
import type { JobIdentity } from "../identity/job-identity.ts";
import { defaultLifeSeconds } from "../identity/token-decision.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { invalidField } from "../lib/fault.ts";
import { type Clock, type EpochSeconds, toSeconds } from "../lib/time.ts";
import type { Projects } from "../projects/projects.ts";

export interface TrustPorts {
  readonly issuer: string;
  readonly clock: Clock;
  readonly jobs: Pick<Jobs, "show">;
  readonly projects: Pick<Projects, "show">;
  readonly identity: Pick<JobIdentity, "preview">;
  organization(): Promise<Organization>;
}

export interface Trust {
  generate(person: Person, request: TrustGenerateRequest): Promise<GeneratedTrust>;
  lint(request: TrustLintRequest): TrustLint;
  explain(person: Person, request: TrustExplainRequest): Promise<TrustExplanation>;
}

export function createTrust(ports: TrustPorts): Trust {
  return {
    generate: (person, request) => generate(ports, person, request),
    lint: ({ cloud, policy }) => named("/policy", () => lintTrust(cloud, policy)),
    async explain(person, { cloud, policy, token }) {
      const { claims, now, reason } = await claimsOf(ports, person, token);
      const explanation = named("/policy", () => explainTrust(cloud, policy, claims, now));
      return {
        ...explanation,
        assumes: [...explanation.assumes, ...(reason === null ? [] : [`the job gets such a token, but: ${reason}`])],
      };
    },
  };
}

async function generate(ports: TrustPorts, person: Person, request: TrustGenerateRequest): Promise<GeneratedTrust> {
  const { cloud, project_id, ...options } = request;
  const [project, org] = await Promise.all([ports.projects.show(person, project_id), ports.organization()]);
  // Only the issuer knows the subjects of refs that are too long: they end in a hash.
  const exact = options.refs.filter((ref) => !ref.endsWith("**"));
  const previews = await Promise.all(
    exact.map((ref) => ports.identity.preview(person, project_id, { ref, sha: noSha, fork: false })),
  );
  const subjects = Object.fromEntries(exact.map((ref, at) => [ref, previews[at]?.claims.sub ?? ""]));
  return named("/refs", () => generateTrust(cloud, trustedProject(ports.issuer, org, project), options, subjects));
}

const noSha = "0".repeat(40);

type AskedToken = TrustExplainRequest["token"];

interface Asked {
  readonly claims: TokenClaims;
  readonly now: Seconds;
  /** Why such a job gets no token, or null. */
  readonly reason: string | null;
}

/** The claims to be judged, and the time to judge them at: of a job, when its token is new. */
async function claimsOf(ports: TrustPorts, person: Person, token: AskedToken): Promise<Asked> {
  const now = toSeconds(ports.clock());
  if ("jwt" in token)
    return { claims: named("/token/jwt", () => refuseDeepClaims(claimsOfJwt(token.jwt))), now, reason: null };
  const { project, claims, reason } =
    "job_id" in token ? await ofJob(ports, person, token.job_id, now) : await ofRef(ports, person, token);
  const trusted = trustedProject(ports.issuer, await ports.organization(), project);
  const sub = subjectOf(token.subject ?? "semaphore", claims, trusted);
  return { claims: { ...claims, sub, aud: token.audience ?? ports.issuer }, now, reason };
}

async function ofJob(ports: TrustPorts, person: Person, jobId: string, now: EpochSeconds) {
  const job = await ports.jobs.show(person, jobId);
  requireMay(person, "identity_preview.read", job.project_id);
  const [project, org] = await Promise.all([ports.projects.show(person, job.project_id), ports.organization()]);
  const expiresAt = (now + defaultLifeSeconds) as EpochSeconds;
  const mint = { jti: "", aud: ports.issuer, issuedAt: now, expiresAt };
  const claims = await identityClaims(contextOfJob(ports.issuer, org, project, job), mint);
  return { project, claims, reason: null };
}

async function ofRef(ports: TrustPorts, person: Person, asked: { project_id: string; ref: string }) {
  const { project_id, ref } = asked;
  const [project, preview] = await Promise.all([
    ports.projects.show(person, project_id),
    ports.identity.preview(person, project_id, { ref, sha: noSha }),
  ]);
  return { project, claims: preview.claims, reason: preview.reason };
}

function subjectOf(form: SubjectForm, claims: IdentityClaims, project: TrustedProject): string {
  return { semaphore: claims.sub, sub127: claims.sub127, id: idSubject(project) }[form];
}

function trustedProject(issuer: string, org: Organization, project: Project): TrustedProject {
  return { issuer, org, project, repo: project.repository.name };
}

/** @throws Fault `invalid_request` that says where in the policy, and why. */
function named<Result>(pointer: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof PolicyError) throw invalidField(pointer, error.message);
    throw error;
  }
}
