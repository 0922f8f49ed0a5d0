/**
 * Whether a key opens for a job: one pure decision with an explanation, asked when the job is started and again
 * at hand-over. It does no I/O.
 */
import type { KeyPolicy } from "../../protocol/access-keys.ts";
import type { GitContext } from "../../protocol/git-context.ts";
import { matchingPattern } from "../../protocol/ref-pattern.ts";

export interface PolicyDecision {
  readonly allowed: boolean;
  /** In words, for the job's log and for whoever asks: what was compared with what. */
  readonly explanation: string;
}

/** What of a git context a policy looks at. */
export type JudgedContext = Pick<GitContext, "ref" | "ref_type" | "ref_protected" | "fork" | "proof">;

export function decide(policy: KeyPolicy, git: JudgedContext, agentType: string): PolicyDecision {
  const refusal = refusals(policy, git, agentType).find((text) => text !== null);
  if (refusal) return { allowed: false, explanation: `refused: ${refusal}` };
  return { allowed: true, explanation: `allowed: ${refMatch(policy, git) ?? git.ref}` };
}

/** In the order in which a reader asks. The first that is not null is the answer. */
function refusals(policy: KeyPolicy, git: JudgedContext, agentType: string): (string | null)[] {
  return [
    git.fork && !policy.forks ? "the job comes from a fork" : null,
    policy.ref_types.includes(git.ref_type)
      ? null
      : `ref type ${git.ref_type} is none of ${policy.ref_types.join(", ")}`,
    refMatch(policy, git) === null ? refRefusal(policy, git) : null,
    policy.agent_types === null || policy.agent_types.includes(agentType)
      ? null
      : `agent type ${agentType} is none of ${policy.agent_types.join(", ")}`,
    policy.proofs.includes(git.proof)
      ? null
      : `the ref was proven by ${git.proof}, and the key asks for ${policy.proofs.join(", ")}`,
  ];
}

/** What let the ref pass, or null. */
function refMatch(policy: KeyPolicy, git: JudgedContext): string | null {
  if (policy.refs === "protected") return git.ref_protected ? `${git.ref} is protected` : null;
  const pattern = matchingPattern(policy.refs, git.ref);
  return pattern === null ? null : `${git.ref} matches ${pattern}`;
}

function refRefusal(policy: KeyPolicy, git: JudgedContext): string {
  if (policy.refs === "protected") return `${git.ref} is not a protected ref of the project`;
  return `${git.ref} matches none of ${policy.refs.join(", ")}`;
}
