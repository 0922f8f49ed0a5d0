/** Jobs: what a caller asks for, and what is shown. */
import * as z from "zod";
import { SecretField } from "./access-keys.ts";
import { GitContext, GitRef, GitSha } from "./git-context.ts";
import { ClientId, Id, Sha256, Timestamp } from "./ids.ts";
import { limits } from "./limits.ts";
import { List } from "./list.ts";
import { EnvName, FileMode, FilePath, Name, Title } from "./names.ts";

export const JobState = z.enum(["queued", "running", "stopping", "finished"]);
export type JobState = z.infer<typeof JobState>;
export const JobResult = z.enum(["passed", "failed", "stopped"]);
export type JobResult = z.infer<typeof JobResult>;

/** The four variables of the Semaphore namespace that a user sets; the others are ours to set. */
const userSetSemaphoreNames = new Set([
  "SEMAPHORE_GIT_DEPTH",
  "SEMAPHORE_GIT_CACHE_AGE",
  "SEMAPHORE_GIT_CACHE_KEEP",
  "SEMAPHORE_GIT_CLONE_SLOW_RETRY",
]);

/** A variable name that a job may set. The rest of SEMAPHORE_* tells the job who it is and stays true. */
export const JobEnvName = EnvName.refine(
  (name) => !name.startsWith("SEMAPHORE_") || userSetSemaphoreNames.has(name),
  "must not begin with SEMAPHORE_, which is set for the job",
);

export const EnvVar = z.strictObject({
  name: JobEnvName,
  value: z
    .string()
    .refine((text) => text.isWellFormed(), "must be well-formed Unicode")
    .refine((text) => !text.includes("\0"), "must not hold a NUL"),
  /** Masked in the job's log. */
  secret: z.boolean().default(false),
});
export type EnvVar = z.infer<typeof EnvVar>;

export const JobFile = z.strictObject({
  path: FilePath,
  /** Standard base64 with padding (RFC 4648 section 4). */
  content: z.base64(),
  mode: FileMode.default("0644"),
});
export type JobFile = z.infer<typeof JobFile>;

/** A key that the job needs, and where each part of it goes. Nothing said: the defaults of its type. */
export const KeyUse = z.strictObject({
  /** The key's name in the project. */
  key: Name,
  /** Part of the secret to environment variable. */
  env: z.partialRecord(SecretField, JobEnvName).optional(),
  file: z.strictObject({ path: FilePath, mode: FileMode.default("0600"), field: SecretField.optional() }).optional(),
});
export type KeyUse = z.infer<typeof KeyUse>;

const Directive = z
  .string()
  .min(1)
  .refine((text) => text.isWellFormed() && !text.includes("\0"), "must be well-formed Unicode without NUL");

/** One command, as text or with the name that the log shows for it. */
export const Command = z.union(
  [
    Directive.transform((directive) => ({ directive })),
    z.strictObject({ directive: Directive, alias: Title.optional() }),
  ],
  "must be shell text, or an object of directive and alias",
);
export type Command = z.output<typeof Command>;
const Commands = z.array(Command).max(limits.jobCommands);

/** What the job does. Sealed while at rest: it may hold secrets. */
export const JobSpec = z.strictObject({
  commands: Commands.min(1),
  epilogue: z
    .strictObject({
      always: Commands.default([]),
      on_pass: Commands.default([]),
      on_fail: Commands.default([]),
    })
    .prefault({}),
  env: z.array(EnvVar).max(limits.jobEnvVars).refine(hasUniqueNames, "must not name a variable twice").default([]),
  files: z.array(JobFile).max(limits.jobEnvVars).default([]),
  keys: z.array(KeyUse).max(limits.jobKeys).default([]),
  /** `none`: this job gets no identity token. Left out: it gets one, as its project says. */
  identity: z.literal("none").optional(),
});
export type JobSpec = z.infer<typeof JobSpec>;

/** POST /api/v1/projects/{project_id}/jobs. The ref's type and all else of the git context is derived. */
export const JobStart = z.strictObject({
  id: ClientId,
  name: Title,
  ref: GitRef,
  sha: GitSha,
  /** Name of the agent type whose agents may run it. */
  agent_type: Name,
  /** At most the project's limit, which is also the default. */
  time_limit_seconds: z.int().min(10).max(limits.jobTimeLimitSeconds).optional(),
  spec: JobSpec,
});
export type JobStart = z.infer<typeof JobStart>;

/** When a job's log was deleted, and the SHA-256 of the events that it held: a copy can still be shown to be the one. */
export const LogDeletion = z.object({ at: Timestamp, sha256: Sha256 });
export type LogDeletion = z.infer<typeof LogDeletion>;

export const Job = z.object({
  id: Id,
  project_id: Id,
  workflow_id: Id,
  pipeline_id: Id,
  name: Title,
  agent_type: Name,
  git: GitContext,
  state: JobState,
  result: JobResult.nullable(),
  /** Why it ended, where that was not its own commands' doing. */
  reason: z.string().nullable(),
  /** 0 until an agent took it; grows each time one does, and fences every later effect. */
  claim_number: z.int(),
  agent: z.object({ id: Id, name: z.string() }).nullable(),
  time_limit_seconds: z.int(),
  created_at: Timestamp,
  created_by: Id,
  started_at: Timestamp.nullable(),
  finished_at: Timestamp.nullable(),
  stop_requested_at: Timestamp.nullable(),
  /** Null while the log is there. */
  log_deletion: LogDeletion.nullable(),
});
export type Job = z.infer<typeof Job>;
export const JobList = List(Job);

function hasUniqueNames(vars: readonly { name: string }[]): boolean {
  return new Set(vars.map((v) => v.name)).size === vars.length;
}
