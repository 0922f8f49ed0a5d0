/**
 * The token that a job on this ref would get, before there is one: what a policy must match, and where it would be
 * too long. Pure but for hashing.
 */
import { type GitContext, refTypeOf } from "../../protocol/git-context.ts";
import type { IdentityPreview, IdentityPreviewRequest } from "../../protocol/identity-preview.ts";
import type { SubjectForm } from "../../protocol/identity-profiles.ts";
import { type Project, protectedRefs } from "../../protocol/projects.ts";
import { matchingPattern } from "../../protocol/ref-pattern.ts";
import { utf8Length } from "../lib/bytes.ts";
import { refusedField } from "../lib/fault.ts";
import type { EpochSeconds } from "../lib/time.ts";
import { identityClaims, projectSubject } from "./claims.ts";
import { defaultLifeSeconds, withheld } from "./token-decision.ts";

export interface PreviewContext {
  readonly issuer: string;
  readonly org: { readonly id: string; readonly name: string };
  readonly project: Project;
  readonly actor: string;
  /** The key that signs now. */
  readonly kid: string;
  readonly now: EpochSeconds;
}

/**
 * What relying parties take of a subject at most (OpenID Connect Core section 2; AWS STS, SubjectFromWebIdentityToken of
 * AssumeRoleWithWebIdentity; Google's and Microsoft's documents).
 */
const subjectLimits = [
  { relying_party: "OpenID Connect Core", bytes_max: 255 },
  { relying_party: "AWS (SubjectFromWebIdentityToken)", bytes_max: 255 },
  { relying_party: "Google Cloud (google.subject)", bytes_max: 127 },
  { relying_party: "Microsoft Entra", bytes_max: 600 },
];

const unknown = "";

/** @throws Fault `refused` where no job can run on the ref. */
export async function previewIdentity(
  context: PreviewContext,
  request: IdentityPreviewRequest,
): Promise<IdentityPreview> {
  const { project, now } = context;
  const git = previewedGit(project, request);
  const reason = withheld(git, project.settings, undefined);
  const life = Math.min(defaultLifeSeconds, project.settings.job_time_limit_seconds);
  const identity = {
    issuer: context.issuer,
    org: context.org,
    project,
    repository: project.repository,
    git,
    workflowId: unknown,
    pipelineId: unknown,
    jobId: unknown,
    actor: context.actor,
  };
  const expiresAt = (now + life) as EpochSeconds;
  const claims = await identityClaims(identity, { jti: unknown, aud: context.issuer, issuedAt: now, expiresAt });
  return {
    minted: reason === null,
    reason,
    header: { alg: "RS256", kid: context.kid, typ: "JWT" },
    claims,
    subjects: [
      measured("semaphore", claims.sub),
      measured("sub127", claims.sub127),
      measured("id", projectSubject(context.org.id, project.id)),
    ],
  };
}

/** A pull request's context is what a verified event would give; until there is one, a fork's. */
function previewedGit(project: Project, { ref, sha, fork, pull_request }: IdentityPreviewRequest): GitContext {
  const ref_type = refTypeOf(ref);
  if (ref_type === null) throw refusedField("/ref", "must begin with refs/heads/, refs/tags/ or refs/pull/N/");
  const isPr = ref_type === "pr";
  return {
    ref,
    ref_type,
    sha,
    ref_protected: matchingPattern(protectedRefs(project.settings), ref) !== null,
    fork: fork ?? isPr,
    pull_request: isPr ? (pull_request ?? null) : null,
    trg: isPr ? "webhook" : "api",
    proof: isPr ? "webhook" : "api",
  };
}

function measured(form: SubjectForm, value: string): IdentityPreview["subjects"][number] {
  const bytes = utf8Length(value);
  return { form, value, bytes, cut: value.includes("~"), fits: subjectLimits.map((limit) => judged(limit, bytes)) };
}

function judged(limit: (typeof subjectLimits)[number], bytes: number) {
  return { ...limit, fits: bytes <= limit.bytes_max };
}
