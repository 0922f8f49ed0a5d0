/** Jobs as people use them: list, show, stop; and how each ends, whoever ends it. Starting one is start-job.ts. */
import type { Job, JobResult, JobStart } from "../../protocol/jobs.ts";
import type { Listed, Page } from "../../protocol/list.ts";
import type { Person } from "../../protocol/principal.ts";
import { mayRead, requireMay } from "../accounts/permissions.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { notFound } from "../lib/fault.ts";
import type { Created } from "../lib/ids.ts";
import { pagedNewestFirst } from "../lib/paging.ts";
import { type EpochMs, plusSeconds } from "../lib/time.ts";
import { endNotice, stopPatienceSeconds } from "./deadlines.ts";
import { wasWatched } from "./feed-watch-store.ts";
import {
  type Finish,
  findJob,
  finishJob,
  finishNeverTaken,
  listJobs,
  requestStop,
  type StoredJob,
  stopQueued,
} from "./jobs-store.ts";
import { type StartJobPorts, startJob } from "./start-job.ts";

/** A job's log, as far as jobs need it: the last word in it, and its end. */
export interface JobLog {
  finish(jobId: string, end: { result: JobResult; notice: string | null }): Promise<void>;
  /** The job's deadlines are looked at by then, or sooner. */
  setAlarm(jobId: string, at: EpochMs): Promise<void>;
}

export interface JobsPorts extends StartJobPorts {
  readonly log: JobLog;
}

export interface Jobs {
  start(person: Person, projectId: string, request: JobStart): Promise<Created<Job>>;
  list(person: Person, projectId: string, page: Page): Promise<Listed<Job>>;
  show(person: Person, id: string): Promise<Job>;
  stop(person: Person, id: string): Promise<Job>;
  /** Ends a job and its log. The first end stands; the log gets that one, whoever calls. */
  finish(finish: Finish): Promise<void>;
  /** Ends the queued jobs that no agent took within `limitSeconds`; answers how many. */
  sweepQueue(limitSeconds: number): Promise<number>;
}

export function createJobs(ports: JobsPorts): Jobs {
  const { db, clock, log, projects } = ports;
  const visible = async (person: Person, id: string): Promise<StoredJob> => {
    const stored = await findJob(db, id);
    if (stored === null || !mayRead(person, stored.job.project_id)) throw notFound();
    return stored;
  };
  const finish = async (end: Finish) => {
    if (wasWatched(await finishJob(db, end, clock()).run())) ports.changed();
    await closeLog(ports, end.id);
  };
  return {
    finish,
    start: (person, projectId, request) => startJob(ports, person, projectId, request),
    async list(person, projectId, page) {
      await projects.show(person, projectId);
      requireMay(person, "job.read", projectId);
      return pagedNewestFirst(page, (beforeId, limit) => listJobs(db, projectId, beforeId, limit));
    },
    async show(person, id) {
      const { job } = await visible(person, id);
      requireMay(person, "job.read", job.project_id);
      return job;
    },
    async stop(person, id) {
      const stored = await visible(person, id);
      requireMay(person, "job.stop", stored.job.project_id);
      return stop(ports, person, stored);
    },
    async sweepQueue(limitSeconds) {
      const reason = `no agent took it within ${limitSeconds} s`;
      const now = clock();
      const { ids, watched } = await finishNeverTaken(db, now - limitSeconds * 1000, reason, now);
      if (watched) ports.changed();
      // One room that fails must not keep the others' logs open.
      await Promise.allSettled(
        ids.map((id) => log.finish(id, { result: "failed", notice: endNotice("failed", reason) })),
      );
      return ids.length;
    },
  };
}

/** Gives the log the end that the database holds. */
async function closeLog({ db, log }: JobsPorts, id: string): Promise<void> {
  const ended = await findJob(db, id);
  // A room that was emptied long ago is not to be filled again by somebody who says the end once more.
  if (ended === null || ended.job.result === null || ended.job.log_deletion !== null) return;
  const { result, reason } = ended.job;
  await log.finish(id, { result, notice: endNotice(result, reason) });
}

async function stop(ports: JobsPorts, person: Person, { job }: StoredJob): Promise<Job> {
  const { db, clock } = ports;
  if (job.state === "finished") return job;
  const now = clock();
  const reason = `stopped by ${person.name}`;
  const audit = await auditRow(
    { action: "job.stop", principal: person, projectId: job.project_id, jobId: job.id },
    now,
  );
  const changes = [requestStop(db, job.id, reason, now), stopQueued(db, job.id, reason, now)];
  if (wasWatched(...(await db.batch([insertAudit(db, audit), ...changes])))) ports.changed();
  const after = await findJob(db, job.id);
  if (after?.job.state === "finished") await closeLog(ports, job.id);
  else await ports.log.setAlarm(job.id, plusSeconds(now, stopPatienceSeconds));
  return after?.job ?? job;
}
