/**
 * Whether a running job gets the token that it asks for, and what that one says. Pure. Without a profile only the
 * default audience and form are minted: an audience is what a relying party trusts, so each must be named.
 */
import type { GitContext } from "../../protocol/git-context.ts";
import type { AwsTagClaim, IdentityProfile, SubjectForm, TokenRequest } from "../../protocol/identity-profiles.ts";
import type { ProjectSettings } from "../../protocol/projects.ts";
import { matchingPattern } from "../../protocol/ref-pattern.ts";

export interface AskingJob {
  readonly git: GitContext;
  readonly settings: Pick<ProjectSettings, "identity" | "fork_tokens">;
  readonly agentType: string;
  /** Seconds until the job's time limit. */
  readonly secondsLeft: number;
}

export interface GrantedToken {
  readonly audience: string;
  readonly subject: SubjectForm;
  readonly lifeSeconds: number;
  readonly tags: readonly AwsTagClaim[];
}

/** A refusal names the parameter that would have to be another. */
export interface TokenDenial {
  readonly pointer: string;
  readonly detail: string;
}

/** Why a job gets no identity token at all, or null where it gets one. */
export function withheld(
  git: Pick<GitContext, "fork">,
  settings: Pick<ProjectSettings, "identity" | "fork_tokens">,
  ofJob: "none" | undefined,
): string | null {
  if (settings.identity === "none") return "the project sets identity to none";
  if (ofJob === "none") return "the job sets identity to none";
  return git.fork && !settings.fork_tokens ? "jobs of forks get none" : null;
}

/** The life of a token that nobody asked to be otherwise; its job may end it sooner. */
export const defaultLifeSeconds = 3600;
const notAllowed = { pointer: "/audience", detail: "no identity profile of the project allows this audience" };

export function decideToken(
  request: TokenRequest,
  job: AskingJob,
  profiles: readonly IdentityProfile[],
  issuer: string,
): GrantedToken | TokenDenial {
  const audience = request.audience ?? issuer;
  const subject = request.subject ?? "semaphore";
  const tags = request.aws_session_tags ?? [];
  const reason = withheld(job.git, job.settings, undefined);
  if (reason !== null) return { pointer: "/audience", detail: `no identity token: ${reason}` };
  const isDefault = audience === issuer && subject === "semaphore" && tags.length === 0;
  const named = profiles.filter(({ rules }) => rules.audience === audience);
  if (named.length === 0 && isDefault) return granted(request, job, audience, subject, tags, defaultLifeSeconds);
  if (named.length === 0) return notAllowed;
  const denials = named.map((profile) => denial(profile, subject, tags, job));
  const allowing = named.filter((_, at) => denials[at] === null);
  if (allowing.length === 0) return denials.find((each) => each !== null) ?? notAllowed;
  const lifeSecondsMax = Math.max(...allowing.map(({ rules }) => rules.lifetime_seconds_max));
  return granted(request, job, audience, subject, tags, lifeSecondsMax);
}

/** The first thing that keeps a profile from allowing it, or null. */
function denial(
  { name, rules }: IdentityProfile,
  subject: SubjectForm,
  tags: readonly AwsTagClaim[],
  { git, agentType }: AskingJob,
): TokenDenial | null {
  if (git.fork && !rules.forks) return { pointer: "/audience", detail: `profile ${name} is not for forks` };
  const refFits = rules.refs === "protected" ? git.ref_protected : matchingPattern(rules.refs, git.ref) !== null;
  if (!refFits) {
    const wanted = rules.refs === "protected" ? "the project's protected refs" : rules.refs.join(", ");
    return { pointer: "/audience", detail: `profile ${name} is for ${wanted}, and ${git.ref} is none` };
  }
  if (rules.agent_types !== null && !rules.agent_types.includes(agentType)) {
    return { pointer: "/audience", detail: `profile ${name} is for agent types ${rules.agent_types.join(", ")}` };
  }
  if (!rules.subject_forms.includes(subject)) {
    return { pointer: "/subject", detail: `profile ${name} allows ${rules.subject_forms.join(", ")}` };
  }
  const stranger = tags.find((tag) => !rules.aws_session_tags.includes(tag));
  if (stranger === undefined) return null;
  return { pointer: "/aws_session_tags", detail: `profile ${name} does not allow ${stranger}` };
}

function granted(
  request: TokenRequest,
  job: AskingJob,
  audience: string,
  subject: SubjectForm,
  tags: readonly AwsTagClaim[],
  lifeSecondsMax: number,
): GrantedToken | TokenDenial {
  if (request.lifetime_seconds !== undefined && request.lifetime_seconds > lifeSecondsMax) {
    return { pointer: "/lifetime_seconds", detail: `may be ${lifeSecondsMax} s` };
  }
  const asked = request.lifetime_seconds ?? Math.min(lifeSecondsMax, defaultLifeSeconds);
  // A token does not outlive the time that its job may run.
  return { audience, subject, tags, lifeSeconds: Math.max(1, Math.min(asked, Math.ceil(job.secondsLeft))) };
}
