/** Cloud trust over the API: what src/trust computes, for projects and jobs of this organization. */
import { awsTagsClaim, type IdentityClaims } from "../../protocol/identity.ts";
import type { SubjectForm } from "../../protocol/identity-profiles.ts";
import type { Job } from "../../protocol/jobs.ts";
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
import { type Explain, generateTrust, lintTrust, readTrust } from "../../trust/trust.ts";
import type { Organization } from "../accounts/accounts-store.ts";
import { mayDo, requireMay } from "../accounts/permissions.ts";
import { tagsClaim } from "../identity/aws-tags.ts";
import { contextOfJob, identityClaims } from "../identity/claims.ts";
import type { JobIdentity } from "../identity/job-identity.ts";
import type { PastToken } from "../identity/past-tokens.ts";
import { defaultLifeSeconds, withheld } from "../identity/token-decision.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { invalidField } from "../lib/fault.ts";
import { type Clock, type EpochSeconds, toSeconds } from "../lib/time.ts";
import type { Projects } from "../projects/projects.ts";
import { chosenTokens, explainTokens } from "./past-job.ts";

export interface TrustPorts {
  readonly issuer: string;
  readonly clock: Clock;
  readonly jobs: Pick<Jobs, "show">;
  readonly projects: Pick<Projects, "show">;
  readonly identity: Pick<JobIdentity, "preview" | "pastTokens">;
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
      const explain = named("/policy", () => readTrust(cloud, policy));
      if ("job_id" in token) return explainJob(ports, person, explain, token);
      const { claims, now, notes } = await claimsOf(ports, person, token);
      return noted(
        named("/policy", () => explain(claims, now)),
        notes,
      );
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
type AskedJob = Extract<AskedToken, { job_id: string }>;

interface Asked {
  readonly claims: TokenClaims;
  readonly now: Seconds;
  /** What there is to be said of such a token. */
  readonly notes: readonly string[];
}

/** The tokens that a past job had; where it had none such, the one that it would have had. */
async function explainJob(
  ports: TrustPorts,
  person: Person,
  explain: Explain,
  asked: AskedJob,
): Promise<TrustExplanation> {
  const job = await ports.jobs.show(person, asked.job_id);
  requireMay(person, "identity_preview.read", job.project_id);
  const project = await ports.projects.show(person, job.project_id);
  // By its id a token is asked for that there was: of those the ledger tells, whose reader one must be.
  const reads = mayDo(person, "identity_ledger.read", job.project_id) || asked.jti !== undefined;
  const had = reads ? await ports.identity.pastTokens(person, job, project) : [];
  const chosen = chosenTokens(had, asked);
  if (chosen.length > 0) return named("/policy", () => explainTokens(explain, chosen, toSeconds(ports.clock())));
  if (asked.jti !== undefined) throw invalidField("/token/jti", "this job had no such token");
  const { claims, now } = await wouldHaveHad(ports, job, project, asked);
  const why = reads ? hadNone(had) : "which tokens this job had, the ledger tells managers of the project";
  const note = `${why}: explained is one that it would have`;
  const withheldNote = withheld(job.git, project.settings, undefined);
  const notes = withheldNote === null ? [note] : [note, `now it would get none: ${withheldNote}`];
  return {
    ...noted(
      named("/policy", () => explain(claims, now)),
      notes,
    ),
    mint: null,
    mints: [],
  };
}

function hadNone(had: readonly PastToken[]): string {
  const audiences = [...new Set(had.map(({ mint, subject }) => `${mint.aud} (${subject ?? "unknown"} subject)`))];
  if (audiences.length === 0) return "this job had no token";
  return `this job had no such token, but for ${audiences.join(", ")}`;
}

async function wouldHaveHad(ports: TrustPorts, job: Job, project: Project, asked: AskedJob): Promise<Asked> {
  const now = toSeconds(ports.clock());
  const expiresAt = (now + defaultLifeSeconds) as EpochSeconds;
  const mint = { jti: "", aud: asked.audience ?? ports.issuer, issuedAt: now, expiresAt };
  const context = contextOfJob(ports.issuer, await ports.organization(), project, job);
  return { claims: await identityClaims(context, mint, asked.subject), now, notes: [] };
}

/** The claims to be judged, and the time to judge them at: of a job that might be, when its token is new. */
async function claimsOf(ports: TrustPorts, person: Person, token: Exclude<AskedToken, AskedJob>): Promise<Asked> {
  const now = toSeconds(ports.clock());
  if ("jwt" in token) {
    return { claims: named("/token/jwt", () => refuseDeepClaims(claimsOfJwt(token.jwt))), now, notes: [] };
  }
  const { project_id, ref, audience = ports.issuer, subject = "semaphore", aws_session_tags: tags = [] } = token;
  const [project, preview] = await Promise.all([
    ports.projects.show(person, project_id),
    ports.identity.preview(person, project_id, { ref, sha: noSha }),
  ]);
  const trusted = trustedProject(ports.issuer, await ports.organization(), project);
  const sub = subjectOf(subject, preview.claims, trusted);
  const notes = preview.reason === null ? [] : [`the job gets such a token, but: ${preview.reason}`];
  const tagged = tags.length === 0 ? {} : { [awsTagsClaim]: tagsClaim(preview.claims, tags) };
  return { claims: { ...preview.claims, sub, aud: audience, ...tagged }, now, notes };
}

function noted(explanation: TrustExplanation, notes: readonly string[]): TrustExplanation {
  return { ...explanation, assumes: [...explanation.assumes, ...notes] };
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
