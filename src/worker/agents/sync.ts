/** The agent's sync: one D1 trip to touch it, claim for it and read what it has; then a pure decision, carried out. */
import type { SyncAnswer, SyncRequest } from "../../protocol/agent-protocol.ts";
import { tokenDigest } from "../crypto/digests.ts";
import { wasWatched } from "../jobs/feed-watch-store.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { releaseJob, type StoredJob } from "../jobs/jobs-store.ts";
import { isGuardFailure } from "../lib/d1.ts";
import { notFound } from "../lib/fault.ts";
import { type Clock, type EpochMs, plusSeconds } from "../lib/time.ts";
import { closeFetch, findJobOfAgent, syncAgent } from "./agents-store.ts";
import type { Presented } from "./certificate-gate.ts";
import { decideSync, type SyncEffect } from "./sync-decision.ts";

/** A job's log room, as far as syncs need it: its alarm watches the job's deadlines. */
export interface DeadlineAlarm {
  setAlarm(jobId: string, at: EpochMs): Promise<void>;
}

export interface SyncPorts {
  readonly db: D1Database;
  readonly clock: Clock;
  readonly jobs: Pick<Jobs, "finish">;
  /** Told behind every change of a job's state that `jobs` does not make and somebody may wait for. */
  changed(): void;
  readonly alarm: DeadlineAlarm;
  readonly nextSyncAfterMs: number;
  readonly agentLostSeconds: number;
}

/**
 * @throws Fault `not_found` for an agent that is unknown or has disconnected; `forbidden` without a certificate that its
 *   type requires: then it has not synced, and claimed nothing.
 */
export type Sync = (credential: string, request: SyncRequest, presented: Presented) => Promise<SyncAnswer>;

export function createSync(ports: SyncPorts): Sync {
  const { db, clock } = ports;
  return async (credential, request, presented) => {
    const digest = await tokenDigest("agt", credential);
    const now = clock();
    const { closedTypes } = presented;
    const synced =
      digest === null
        ? null
        : await syncAgent(db, { digest, request, closedTypes }, now).catch((error: unknown) => {
            throw isGuardFailure(error) ? presented.refusal() : error;
          });
    if (synced === null) throw notFound();
    if (synced.watched) ports.changed();
    const { answer, effect } = decideSync(synced.agent, synced.job, request, now);
    if (synced.job !== null) await carryOut(ports, effect, synced.job, now);
    else if (request.state === "finished-job") await finishAgain(ports, synced.agent.id, request.job_id);
    return { ...answer, next_sync_after: ports.nextSyncAfterMs };
  };
}

async function carryOut(ports: SyncPorts, effect: SyncEffect, { job }: StoredJob, now: EpochMs): Promise<void> {
  const { db, alarm, jobs } = ports;
  switch (effect.kind) {
    case "none":
      return;
    case "hand_out": {
      // Before the agent hears of the job: if it dies right after, the alarm still finds out.
      const seconds = Math.min(ports.agentLostSeconds, job.time_limit_seconds);
      return alarm.setAlarm(job.id, plusSeconds(now, seconds));
    }
    case "close_fetch":
      await closeFetch(db, job.id, job.claim_number, now).run();
      return;
    case "release":
      if (wasWatched(await releaseJob(db, job.id, job.claim_number).run())) ports.changed();
      return;
    case "finish":
      return jobs.finish({
        id: job.id,
        result: effect.result,
        reason: effect.reason,
        claimNumber: job.claim_number,
      });
  }
}

/** finished-job may come again, since its answer was lost: the log may still want its end. */
async function finishAgain({ db, jobs }: SyncPorts, agentId: string, jobId: string): Promise<void> {
  const had = await findJobOfAgent(db, agentId, jobId);
  if (had?.job.result == null) return;
  const { id, result, reason, claim_number: claimNumber } = had.job;
  await jobs.finish({ id, result, reason, claimNumber });
}
