/**
 * Whether a running job gets the token that it asks for, and what that one says. Pure. Without a profile only the
 * default audience and form are minted: an audience is what a relying party trusts, so each must be named.
 */
import type { GitContext } from "../../protocol/git-context.ts";
import { type ClaimName, securityClaims } from "../../protocol/identity.ts";
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
  /** Which claims the token carries, besides those that every token has; null: all. */
  readonly claims: readonly ClaimName[] | null;
}

/** What is asked for, with what is asked for by saying nothing. */
interface Asked {
  readonly audience: string;
  readonly subject: SubjectForm;
  readonly tags: readonly AwsTagClaim[];
  readonly claims: readonly ClaimName[] | null;
  readonly lifeSeconds: number | null;
}

/** A refusal names the parameter that would have to be another. */
export interface TokenDenial {
  /** `invalid_request` for a number that is out of its range, `forbidden` for what no profile allows. */
  readonly code: "invalid_request" | "forbidden";
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
const notAllowed = forbidden("/audience", "no identity profile of the project allows this audience");

export function decideToken(
  request: TokenRequest,
  job: AskingJob,
  profiles: readonly IdentityProfile[],
  issuer: string,
): GrantedToken | TokenDenial {
  const asked = askedFor(request, issuer);
  const reason = withheld(job.git, job.settings, undefined);
  if (reason !== null) return forbidden("/audience", `no identity token: ${reason}`);
  const isDefault = asked.audience === issuer && asked.subject === "semaphore" && asked.tags.length === 0;
  const named = profiles.filter(({ rules }) => rules.audience === asked.audience);
  if (named.length === 0 && isDefault) return granted(asked, job, null);
  if (named.length === 0) return notAllowed;
  const denials = named.map((profile) => denial(profile, asked, job));
  const allowing = named.filter((_, at) => denials[at] === null);
  if (allowing.length === 0) return denials.find((each) => each !== null) ?? notAllowed;
  return granted(asked, job, allowing);
}

function askedFor(request: TokenRequest, issuer: string): Asked {
  return {
    audience: request.audience ?? issuer,
    subject: request.subject ?? "semaphore",
    tags: request.aws_session_tags ?? [],
    claims: request.claims ?? null,
    lifeSeconds: request.lifetime_seconds ?? null,
  };
}

/** What several profiles allow together; null: all claims. */
function claimsOf(profiles: readonly IdentityProfile[]): ClaimName[] | null {
  const lists = profiles.map(({ rules }) => rules.claims);
  return lists.every((list) => list !== null) ? [...new Set(lists.flat())] : null;
}

/** The first thing that keeps a profile from allowing it, or null. */
function denial(
  { name, rules }: IdentityProfile,
  { subject, tags, claims }: Asked,
  { git, agentType }: AskingJob,
): TokenDenial | null {
  if (git.fork && !rules.forks) return forbidden("/audience", `profile ${name} is not for forks`);
  const refFits = rules.refs === "protected" ? git.ref_protected : matchingPattern(rules.refs, git.ref) !== null;
  if (!refFits) {
    const wanted = rules.refs === "protected" ? "the project's protected refs" : rules.refs.join(", ");
    return forbidden("/audience", `profile ${name} is for ${wanted}, and ${git.ref} is none`);
  }
  if (rules.agent_types !== null && !rules.agent_types.includes(agentType)) {
    return forbidden("/audience", `profile ${name} is for agent types ${rules.agent_types.join(", ")}`);
  }
  if (!rules.subject_forms.includes(subject)) {
    return forbidden("/subject", `profile ${name} allows ${rules.subject_forms.join(", ")}`);
  }
  const tag = tags.find((each) => !rules.aws_session_tags.includes(each));
  if (tag !== undefined) return forbidden("/aws_session_tags", `profile ${name} does not allow ${tag}`);
  const claim = claims?.find((each) => !securityClaims.has(each) && rules.claims?.includes(each) === false);
  return claim === undefined ? null : forbidden("/claims", `profile ${name} does not allow ${claim}`);
}

/** `allowing`: the profiles that allow the rest; null: there are none for the audience, and none are needed. */
function granted(
  { audience, subject, tags, claims, lifeSeconds }: Asked,
  job: AskingJob,
  allowing: readonly IdentityProfile[] | null,
): GrantedToken | TokenDenial {
  const livesMax = allowing?.map(({ rules }) => rules.lifetime_seconds_max) ?? [defaultLifeSeconds];
  const lifeSecondsMax = Math.max(...livesMax);
  if (lifeSeconds !== null && lifeSeconds > lifeSecondsMax) {
    const detail = `must be at most ${lifeSecondsMax} seconds`;
    return { code: "invalid_request", pointer: "/lifetime_seconds", detail };
  }
  const life = lifeSeconds ?? Math.min(lifeSecondsMax, defaultLifeSeconds);
  // One profile's claims for another's life are what neither allows.
  const lasting = allowing?.filter(({ rules }) => rules.lifetime_seconds_max >= life) ?? null;
  // A token does not outlive the time that its job may run.
  const lived = Math.max(1, Math.min(life, Math.ceil(job.secondsLeft)));
  const claimsMax = lasting === null ? null : claimsOf(lasting);
  return { audience, subject, tags, claims: claims ?? claimsMax, lifeSeconds: lived };
}

function forbidden(pointer: string, detail: string): TokenDenial {
  return { code: "forbidden", pointer, detail };
}
