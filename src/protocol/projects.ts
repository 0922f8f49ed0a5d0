import * as z from "zod";
import { GitRef } from "./git-context.ts";
import { ClientId, Id, Timestamp } from "./ids.ts";
import { limits } from "./limits.ts";
import { List } from "./list.ts";
import { Name, RepositorySlug, RepositoryUrl } from "./names.ts";
import { RefPatterns } from "./ref-pattern.ts";

/** A project's one repository. Its name is in every token's subject and never changes. */
export const Repository = z.strictObject({
  name: Name,
  slug: RepositorySlug,
  url: RepositoryUrl.default(""),
  provider: Name.default("git"),
});
export type Repository = z.infer<typeof Repository>;

const BranchRef = GitRef.refine((ref) => ref.startsWith("refs/heads/"), "must be a branch such as refs/heads/main");

export const ProjectSettings = z.strictObject({
  default_branch: BranchRef.default("refs/heads/main"),
  /** Patterns of refs that take a manager to start on; null: the default branch alone. */
  protected_refs: RefPatterns.nullable().default(null),
  /** Longest time that a job of this project may run. */
  job_time_limit_seconds: z.int().min(10).max(limits.jobTimeLimitSeconds).default(3600),
  /** Also sets ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN, which GitHub's toolkit reads. */
  github_token_variables: z.boolean().default(false),
  /** `none`: no job of the project gets an identity token. */
  identity: z.enum(["default", "none"]).default("default"),
  /** Jobs of forks get tokens too, whose ref type is `fork`. */
  fork_tokens: z.boolean().default(false),
  /** A log is deleted so long after it ended; what is lowered holds for old logs too, within a day. */
  log_retention_days: z.int().min(1).max(limits.logRetentionDays).default(30),
});
export type ProjectSettings = z.infer<typeof ProjectSettings>;

export const ProjectCreate = z.strictObject({
  id: ClientId,
  name: Name,
  repository: Repository,
  settings: ProjectSettings.prefault({}),
});
export type ProjectCreate = z.infer<typeof ProjectCreate>;

/** PATCH: only what is named changes. */
export const ProjectPatch = z.strictObject({
  default_branch: BranchRef.optional(),
  protected_refs: RefPatterns.nullable().optional(),
  job_time_limit_seconds: z.int().min(10).max(limits.jobTimeLimitSeconds).optional(),
  github_token_variables: z.boolean().optional(),
  identity: z.enum(["default", "none"]).optional(),
  fork_tokens: z.boolean().optional(),
  log_retention_days: z.int().min(1).max(limits.logRetentionDays).optional(),
});
export type ProjectPatch = z.infer<typeof ProjectPatch>;

export const Project = z.object({
  id: Id,
  name: Name,
  repository: Repository,
  settings: ProjectSettings,
  /** Counts changes; send it as If-Match to change only what you have seen. */
  revision: z.int(),
  created_at: Timestamp,
  created_by: Id,
});
export type Project = z.infer<typeof Project>;
export const ProjectList = List(Project);

/** The ref patterns that a project protects. */
export function protectedRefs(settings: ProjectSettings): readonly string[] {
  return settings.protected_refs ?? [settings.default_branch];
}
