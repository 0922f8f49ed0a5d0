/** Values that tests of the pure cores share, each with what a test changes in it. */
import type { GitContext } from "../../../src/protocol/git-context.ts";
import type { Job } from "../../../src/protocol/jobs.ts";
import type { Project } from "../../../src/protocol/projects.ts";
import type { StoredAgent } from "../../../src/worker/agents/agents-store.ts";
import type { StoredJob } from "../../../src/worker/jobs/jobs-store.ts";
import { Fault } from "../../../src/worker/lib/fault.ts";
import type { EpochMs } from "../../../src/worker/lib/time.ts";

/** A UUID that ends in `n`. */
export function idOf(n: number): string {
  return `01890000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

export const startedAt = Date.parse("2026-11-20T18:00:00.000Z") as EpochMs;

export function gitContext(changes: Partial<GitContext> = {}): GitContext {
  return {
    ref: "refs/heads/main",
    ref_type: "branch",
    sha: "a".repeat(40),
    ref_protected: true,
    fork: false,
    pull_request: null,
    trg: "api",
    proof: "api",
    ...changes,
  };
}

export const pullRequestContext = gitContext({
  ref: "refs/pull/12/head",
  ref_type: "pr",
  ref_protected: false,
  pull_request: { number: 12, title: "Fix the points", branch: "fix/points" },
  trg: "webhook",
  proof: "webhook",
});

export const tagContext = gitContext({ ref: "refs/tags/v1.0", ref_type: "tag" });

export const project: Project = {
  id: idOf(2),
  name: "points",
  repository: { name: "points", slug: "acme/points", url: "https://git.example/acme/points", provider: "github" },
  settings: {
    default_branch: "refs/heads/main",
    protected_refs: null,
    job_time_limit_seconds: 3600,
    github_token_variables: false,
    identity: "default",
    fork_tokens: false,
    log_retention_days: 30,
  },
  revision: 1,
  created_at: "2026-11-20T17:00:00.000Z",
  created_by: idOf(9),
};

export function job(changes: Partial<Job> = {}): Job {
  return {
    id: idOf(1),
    project_id: project.id,
    workflow_id: idOf(3),
    pipeline_id: idOf(4),
    name: "deploy",
    agent_type: "linux",
    git: gitContext(),
    state: "running",
    result: null,
    reason: null,
    claim_number: 1,
    agent: { id: idOf(5), name: "agent-1" },
    time_limit_seconds: 600,
    created_at: "2026-11-20T17:59:00.999Z",
    created_by: idOf(9),
    started_at: "2026-11-20T18:00:00.000Z",
    finished_at: null,
    stop_requested_at: null,
    log_deletion: null,
    ...changes,
  };
}

export function storedJob(changes: Partial<Omit<StoredJob, "job">> & { job?: Partial<Job> } = {}): StoredJob {
  return {
    agentTypeId: idOf(6),
    claimedAt: startedAt,
    handedOver: true,
    fetchClosed: true,
    agentLastSyncAt: startedAt,
    stopReason: null,
    ...changes,
    job: job(changes.job),
  };
}

export function storedAgent(changes: Partial<StoredAgent> = {}): StoredAgent {
  return {
    id: idOf(5),
    agentTypeId: idOf(6),
    name: "agent-1",
    singleJob: false,
    idleTimeoutSeconds: 0,
    interruptionGraceSeconds: 0,
    stateChangedAt: startedAt,
    interruptedAt: 0 as EpochMs,
    ...changes,
  };
}

/** The fault that `run` ends in. */
export async function faultOf(run: () => unknown): Promise<Fault> {
  let value: unknown;
  try {
    value = await run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error(`expected a fault, got ${JSON.stringify(value)}`);
}

/** Every combination of one value of each member. */
export function combinations<Table extends Record<string, readonly unknown[]>>(
  table: Table,
): { [Name in keyof Table]: Table[Name][number] }[] {
  let rows: Record<string, unknown>[] = [{}];
  for (const [name, values] of Object.entries(table)) {
    rows = rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value })));
  }
  return rows as { [Name in keyof Table]: Table[Name][number] }[];
}
