/** Whether an agent type takes a job. Asked when a job is started and again when it is handed over. Pure. */
import type { AgentTypePolicy } from "../../protocol/agent-types.ts";
import type { GitContext } from "../../protocol/git-context.ts";
import { matchingPattern } from "../../protocol/ref-pattern.ts";

/** Why the type does not take such a job, in words; null where it does. */
export function typeRefusal(policy: AgentTypePolicy, projectId: string, git: GitContext): string | null {
  // The same words as for a type that does not exist: its other projects are not this one's business.
  if (!policy.project_ids.includes(projectId)) return "no agent type of this name takes jobs of this project";
  if (git.fork && !policy.forks) return "its agents take no jobs of forks";
  if (policy.refs === "protected") {
    return git.ref_protected ? null : `its agents take protected refs alone, and ${git.ref} is none`;
  }
  if (matchingPattern(policy.refs, git.ref) !== null) return null;
  return `${git.ref} matches none of ${policy.refs.join(", ")}`;
}
