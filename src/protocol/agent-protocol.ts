/**
 * The Semaphore self-hosted agent's wire under /api/v1/self_hosted_agents (AGENT-PROTOCOL sections 2 to 4).
 * Requests are read leniently (unknown fields are ignored, sizes are bounded), answers are written exactly.
 */
import * as z from "zod";
import { JobResult } from "./jobs.ts";

const text = z.string().max(1000);

/** The protocol's characters; pre-signed STS URLs as names are not taken. */
export const AgentName = z
  .string()
  .regex(/^[a-zA-Z0-9\-_/+]{1,80}$/, "must be 1 to 80 of a-z, A-Z, 0-9, '-', '_', '/' and '+'");

export const RegisterRequest = z.object({
  name: AgentName,
  version: text.default(""),
  pid: z.int().default(0),
  os: text.default(""),
  arch: text.default(""),
  hostname: text.default(""),
  single_job: z.boolean().default(false),
  idle_timeout: z.int().min(0).default(0),
  interruption_grace_period: z.int().min(0).default(0),
  job_id: text.default(""),
});
export type RegisterRequest = z.infer<typeof RegisterRequest>;

export const RegisterAnswer = z.object({ name: z.string(), token: z.string() });

export const AgentState = z.enum([
  "waiting-for-jobs",
  "starting-job",
  "running-job",
  "stopping-job",
  "finished-job",
  "failed-to-fetch-job",
  "failed-to-construct-job",
  "failed-to-send-callback",
]);
export type AgentState = z.infer<typeof AgentState>;

export const SyncRequest = z.object({
  state: AgentState,
  job_id: text.default(""),
  job_result: z.union([JobResult, z.literal("")]).catch(""),
  /** Unix seconds of the agent's SIGTERM; 0: none. */
  interrupted_at: z.int().min(0).default(0),
});
export type SyncRequest = z.infer<typeof SyncRequest>;

export const SyncAnswer = z.object({
  action: z.enum(["continue", "wait-for-jobs", "run-job", "stop-job", "shutdown"]),
  job_id: z.string(),
  shutdown_reason: z.enum(["", "idle", "job-finished", "requested", "interrupted"]),
  /** Milliseconds, above 0. */
  next_sync_after: z.int().positive(),
});
export type SyncAnswer = z.infer<typeof SyncAnswer>;

const Named = z.object({ directive: z.string(), alias: z.string().optional() });

/** What an agent is handed. Values, contents and keys are standard padded base64. */
export const JobRequest = z.object({
  job_id: z.string(),
  job_name: z.string(),
  executor: z.literal("shell"),
  env_vars: z.array(z.object({ name: z.string(), value: z.string() })),
  files: z.array(z.object({ path: z.string(), content: z.string(), mode: z.string() })),
  commands: z.array(Named),
  epilogue_always_commands: z.array(Named),
  epilogue_on_pass_commands: z.array(Named),
  epilogue_on_fail_commands: z.array(Named),
  ssh_public_keys: z.array(z.string()),
  logger: z.object({ method: z.literal("push"), url: z.string(), token: z.string() }),
});
export type JobRequest = z.infer<typeof JobRequest>;

export const RefreshAnswer = z.object({ token: z.string() });
