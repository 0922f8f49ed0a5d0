/**
 * What a sync is answered, and what it means for the agent's job. Pure. The order of checks and the "never"s are
 * AGENT-PROTOCOL sections 0 and 3: a wrong answer makes the official agent die, hang or run two jobs at once.
 */
import type { SyncAnswer, SyncRequest } from "../../protocol/agent-protocol.ts";
import type { JobResult } from "../../protocol/jobs.ts";
import type { StoredJob } from "../jobs/jobs-store.ts";
import type { EpochMs } from "../lib/time.ts";
import type { StoredAgent } from "./agents-store.ts";

export type SyncEffect =
  | { readonly kind: "none" }
  /** The job's alarm must be armed before the agent hears of it. */
  | { readonly kind: "hand_out" }
  /** The agent runs its job: hand-over is closed. */
  | { readonly kind: "close_fetch" }
  | { readonly kind: "finish"; readonly result: JobResult; readonly reason: string | null }
  | { readonly kind: "release" };

export interface SyncDecision {
  readonly answer: Omit<SyncAnswer, "next_sync_after">;
  readonly effect: SyncEffect;
}

const none: SyncEffect = { kind: "none" };

export function decideSync(
  agent: StoredAgent,
  assigned: StoredJob | null,
  request: SyncRequest,
  now: EpochMs,
): SyncDecision {
  switch (request.state) {
    case "waiting-for-jobs":
      return whenWaiting(agent, assigned, now);
    case "starting-job":
    case "stopping-job":
      // Never stop-job here: the official agent dies of it.
      return { answer: plain("continue"), effect: none };
    case "running-job":
      return whenRunning(agent, assigned, request.job_id, now);
    case "finished-job":
      return whenFinished(agent, assigned, request.job_id, request.job_result);
    case "failed-to-fetch-job":
    case "failed-to-construct-job":
    case "failed-to-send-callback":
      return whenFinished(agent, assigned, request.job_id, "failed");
  }
}

/** As often as a job may be taken and not begun: after that it is the job. */
const claimsMax = 3;

function whenWaiting(agent: StoredAgent, assigned: StoredJob | null, now: EpochMs): SyncDecision {
  if (assigned !== null && (assigned.handedOver || assigned.fetchClosed)) {
    const reason = "its agent came back without it";
    return { answer: plain("continue"), effect: { kind: "finish", result: "failed", reason } };
  }
  if (assigned !== null && assigned.job.state === "stopping") {
    return { answer: plain("continue"), effect: { kind: "finish", result: "stopped", reason: assigned.stopReason } };
  }
  if (agent.interruptedAt > 0) {
    return { answer: shutdown("interrupted"), effect: assigned === null ? none : passOn(assigned) };
  }
  if (assigned !== null) return { answer: about("run-job", assigned.job.id), effect: { kind: "hand_out" } };
  const idleMs = now - agent.stateChangedAt;
  const idle = agent.idleTimeoutSeconds > 0 && idleMs >= agent.idleTimeoutSeconds * 1000;
  return { answer: idle ? shutdown("idle") : plain("continue"), effect: none };
}

/** A job that its agent never got goes to another. */
function passOn({ job }: StoredJob): SyncEffect {
  if (job.claim_number < claimsMax) return { kind: "release" };
  return { kind: "finish", result: "failed", reason: `${claimsMax} agents took it and none began it` };
}

function whenRunning(agent: StoredAgent, assigned: StoredJob | null, jobId: string, now: EpochMs): SyncDecision {
  if (assigned === null || assigned.job.id !== jobId) {
    // It runs what is not its own any more: lost, finished by a deadline, or given to another.
    return { answer: jobId === "" ? plain("continue") : about("stop-job", jobId), effect: none };
  }
  const effect: SyncEffect = assigned.fetchClosed ? none : { kind: "close_fetch" };
  const graceOver = agent.interruptedAt > 0 && now - agent.interruptedAt >= agent.interruptionGraceSeconds * 1000;
  if (assigned.job.state === "stopping" || graceOver) return { answer: about("stop-job", jobId), effect };
  return { answer: plain("continue"), effect };
}

function whenFinished(
  agent: StoredAgent,
  assigned: StoredJob | null,
  jobId: string,
  jobResult: SyncRequest["job_result"],
): SyncDecision {
  const answer = agent.singleJob
    ? shutdown("job-finished")
    : agent.interruptedAt > 0
      ? shutdown("interrupted")
      : plain("wait-for-jobs");
  if (assigned === null || assigned.job.id !== jobId) return { answer, effect: none };
  return { answer, effect: assigned.handedOver ? ended(agent, assigned, jobResult) : neverRan(assigned) };
}

function ended(agent: StoredAgent, { stopReason }: StoredJob, jobResult: SyncRequest["job_result"]): SyncEffect {
  const result = jobResult === "" ? "failed" : jobResult;
  const whyStopped = stopReason ?? (agent.interruptedAt > 0 ? "its agent was told to end" : null);
  return { kind: "finish", result, reason: result === "stopped" ? whyStopped : null };
}

/** What was never handed over did not run, whatever its agent says of it: not even a pass is one. */
function neverRan(assigned: StoredJob): SyncEffect {
  if (assigned.job.state === "stopping") return { kind: "finish", result: "stopped", reason: assigned.stopReason };
  if (assigned.fetchClosed) return { kind: "finish", result: "failed", reason: "its agent never fetched it" };
  return passOn(assigned);
}

function plain(action: "continue" | "wait-for-jobs"): SyncDecision["answer"] {
  return { action, job_id: "", shutdown_reason: "" };
}

function about(action: "run-job" | "stop-job", jobId: string): SyncDecision["answer"] {
  return { action, job_id: jobId, shutdown_reason: "" };
}

function shutdown(reason: SyncAnswer["shutdown_reason"]): SyncDecision["answer"] {
  return { action: "shutdown", job_id: "", shutdown_reason: reason };
}
