/**
 * What an agent does with each answer to its sync: the whole decision, as a pure function of where the agent is,
 * what it had said, and what it was told (AGENT-PROTOCOL section 3). Must never act: the session does.
 */
import type { JobResult } from "../protocol/jobs.ts";
import type { LenientSyncAnswer } from "./hub-client.ts";

export type Phase =
  | { readonly state: "waiting-for-jobs" }
  | { readonly state: "starting-job" | "running-job" | "stopping-job"; readonly jobId: string }
  | { readonly state: "finished-job"; readonly jobId: string; readonly result: JobResult };

/** Why the agent ended: the server's four reasons, and its own two. */
export type ShutdownReason =
  | "idle"
  | "job-finished"
  | "requested"
  | "interrupted"
  | "unable-to-sync"
  | "disconnected"
  | "unknown";

export type Step =
  | { readonly kind: "nothing" }
  | { readonly kind: "start"; readonly jobId: string }
  | { readonly kind: "stop" }
  | { readonly kind: "shutdown"; readonly reason: ShutdownReason };

export interface Decision {
  readonly phase: Phase;
  readonly step: Step;
}

export const waiting: Phase = { state: "waiting-for-jobs" };

/**
 * @param said the phase that the sync reported. The job may have ended while the answer was under way, and an
 * answer to "running" must not be taken for the receipt of a result that was never sent.
 */
export function decide(phase: Phase, said: Phase, answer: LenientSyncAnswer): Decision {
  const stay: Decision = { phase, step: { kind: "nothing" } };
  switch (answer.action) {
    case "shutdown":
      return { phase, step: { kind: "shutdown", reason: reasonOf(answer.shutdown_reason) } };
    case "run-job":
      if (phase.state !== "waiting-for-jobs" || answer.job_id === "") return stay;
      return {
        phase: { state: "starting-job", jobId: answer.job_id },
        step: { kind: "start", jobId: answer.job_id },
      };
    case "stop-job":
      if (phase.state !== "starting-job" && phase.state !== "running-job") return stay;
      // The id of a job that is not ours would stop the wrong one; without an id there is only one to mean.
      if (answer.job_id !== "" && answer.job_id !== phase.jobId) return stay;
      return { phase: { state: "stopping-job", jobId: phase.jobId }, step: { kind: "stop" } };
    case "wait-for-jobs":
      return said.state === "finished-job" && phase === said ? { phase: waiting, step: { kind: "nothing" } } : stay;
    default:
      return stay;
  }
}

/** The job request was read and its commands begin. A stop that came before stays. */
export function jobBegan(phase: Phase): Phase {
  return phase.state === "starting-job" ? { state: "running-job", jobId: phase.jobId } : phase;
}

/** The job ended and its log was flushed. */
export function jobEnded(phase: Phase, result: JobResult): Phase {
  if (phase.state === "waiting-for-jobs" || phase.state === "finished-job") return phase;
  return { state: "finished-job", jobId: phase.jobId, result };
}

function reasonOf(text: string): ShutdownReason {
  switch (text) {
    case "idle":
    case "job-finished":
    case "requested":
    case "interrupted":
      return text;
    default:
      return "unknown";
  }
}
