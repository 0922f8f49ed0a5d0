/**
 * A job's deadlines: its time limit, and the agent that stopped syncing. Asked by the alarm of the job's log
 * room. `verdict` is pure; `enforceDeadlines` carries it out.
 */
import type { JobResult } from "../../protocol/jobs.ts";
import { notFound } from "../lib/fault.ts";
import { type EpochMs, plusSeconds } from "../lib/time.ts";
import { wasWatched } from "./feed-watch-store.ts";
import { findJob, finishJob, requestStop, type StoredJob } from "./jobs-store.ts";

export interface DeadlineLimits {
  readonly agentLostSeconds: number;
  readonly queueLimitSeconds: number;
}

export interface DeadlinePorts extends DeadlineLimits {
  readonly db: D1Database;
  /** Told behind every change of a job's state that somebody may wait for. */
  changed(): void;
}

export type Verdict =
  | { readonly kind: "wait"; readonly until: EpochMs }
  | { readonly kind: "stop"; readonly reason: string; readonly until: EpochMs }
  | { readonly kind: "finish"; readonly result: JobResult; readonly reason: string }
  | { readonly kind: "finished"; readonly result: JobResult };

/** What the room does next: look again at `until`, or end the log so, for the job is over. */
export type DeadlineOutcome =
  | { readonly kind: "wait"; readonly until: EpochMs }
  | { readonly kind: "finished"; readonly result: JobResult; readonly notice: string | null };

export function verdict(stored: StoredJob, now: EpochMs, deadlines: DeadlineLimits): Verdict {
  const { job } = stored;
  if (job.result !== null) return { kind: "finished", result: job.result };
  if (job.state === "queued" || stored.claimedAt === null) {
    return { kind: "wait", until: plusSeconds(now, deadlines.queueLimitSeconds) };
  }
  const seenAt = Math.max(stored.agentLastSyncAt ?? 0, stored.claimedAt) as EpochMs;
  const lostAt = plusSeconds(seenAt, deadlines.agentLostSeconds);
  if (now >= lostAt) return lost(stored, deadlines);
  if (job.state === "stopping") return whenStopping(stored, now, lostAt);
  const limitAt = plusSeconds(stored.claimedAt, job.time_limit_seconds);
  if (now < limitAt) return { kind: "wait", until: Math.min(lostAt, limitAt) as EpochMs };
  const until = Math.min(lostAt, plusSeconds(now, stopPatienceSeconds)) as EpochMs;
  return { kind: "stop", reason: `its time limit of ${job.time_limit_seconds} s was reached`, until };
}

/** @throws what D1 throws: the alarm is tried again. */
export async function enforceDeadlines(ports: DeadlinePorts, jobId: string, now: EpochMs): Promise<DeadlineOutcome> {
  const { db, changed } = ports;
  const stored = await findJob(db, jobId);
  if (stored === null) throw notFound();
  const decided = verdict(stored, now, ports);
  if (decided.kind === "wait") return decided;
  if (decided.kind === "stop") {
    if (wasWatched(await requestStop(db, jobId, decided.reason, now).run())) changed();
    return { kind: "wait", until: decided.until };
  }
  if (decided.kind === "finish") {
    const claimNumber = stored.job.claim_number;
    const end = { id: jobId, result: decided.result, reason: decided.reason, claimNumber };
    if (wasWatched(await finishJob(db, end, now).run())) changed();
  }
  // Whoever ended it in the same moment: the first end stands, and the log gets that one.
  const after = await findJob(db, jobId);
  const result = after?.job.result ?? null;
  if (result === null) return { kind: "wait", until: plusSeconds(now, 1) };
  const reason = after?.job.reason ?? null;
  return { kind: "finished", result, notice: endNotice(result, reason) };
}

/** What the log says of its job's end; nothing of one that ended by itself. */
export function endNotice(result: JobResult, reason: string | null): string | null {
  return reason === null ? null : `Job ${result}: ${reason}.`;
}

/**
 * How long an agent that was told to stop may take. It has the next sync to hear of it, and a minute to send the
 * rest of the log (AGENT-PROTOCOL section 5.3).
 */
export const stopPatienceSeconds = 120;

function whenStopping(stored: StoredJob, now: EpochMs, lostAt: EpochMs): Verdict {
  const askedAt = Date.parse(stored.job.stop_requested_at ?? "") as EpochMs;
  const patienceEndsAt = plusSeconds(askedAt, stopPatienceSeconds);
  if (now < patienceEndsAt) return { kind: "wait", until: Math.min(lostAt, patienceEndsAt) as EpochMs };
  return stoppedFor(stored, `its agent did not stop it within ${stopPatienceSeconds} s`);
}

function lost(stored: StoredJob, { agentLostSeconds }: DeadlineLimits): Verdict {
  const silent = `its agent has not been heard of for ${agentLostSeconds} s`;
  if (stored.job.state === "stopping") return stoppedFor(stored, silent);
  return { kind: "finish", result: "failed", reason: silent };
}

/** Why it was to be stopped, and why the server had to end it. */
function stoppedFor({ stopReason }: StoredJob, reason: string): Verdict {
  return { kind: "finish", result: "stopped", reason: stopReason === null ? reason : `${stopReason}; ${reason}` };
}
