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
  findNeverTaken,
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
  const { db, clock, projects } = ports;
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
    sweepQueue: (limitSeconds) => sweepQueue(ports, limitSeconds),
  };
}

/** Each takes two calls of its room, and an invocation may make a thousand. Those left over are the next sweep's. */
const sweptJobs = 300;

/** A room that was not told of its job's end finds it after so long. */
const untoldEndSeconds = 60;

async function sweepQueue({ db, clock, log, changed }: JobsPorts, limitSeconds: number): Promise<number> {
  const reason = `no agent took it within ${limitSeconds} s`;
  const now = clock();
  const due = await findNeverTaken(db, now - limitSeconds * 1000, sweptJobs);
  if (due.length === 0) return 0;
  // First, for the sweep may die before it tells them. Where a room is away its job waits for the next sweep.
  const alarmAt = plusSeconds(now, untoldEndSeconds);
  const alarms = await Promise.allSettled(due.map((id) => log.setAlarm(id, alarmAt)));
  const ready = due.filter((_, index) => alarms[index]?.status === "fulfilled");
  const { ids, watched } = await finishNeverTaken(db, ready, reason, now);
  if (watched) changed();
  // One room that fails must not keep the others' logs open.
  await Promise.allSettled(ids.map((id) => log.finish(id, { result: "failed", notice: endNotice("failed", reason) })));
  return ids.length;
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
  const { db, clock, log } = ports;
  if (job.state === "finished") {
    // Nobody but who stopped it tells the room of a job that was never taken: who asks again may be the one to do so.
    if (job.claim_number === 0) await closeLog(ports, job.id);
    return job;
  }
  const now = clock();
  const alarmAt = plusSeconds(now, stopPatienceSeconds);
  // Under way before the job may end: nobody may be left to tell the room. One that is away keeps nobody from stopping a job.
  const alarmed = Promise.allSettled([log.setAlarm(job.id, alarmAt)]);
  const reason = `stopped by ${person.name}`;
  const audit = await auditRow(
    { action: "job.stop", principal: person, projectId: job.project_id, jobId: job.id },
    now,
  );
  const changes = [requestStop(db, job.id, reason, now), stopQueued(db, job.id, reason, now)];
  if (wasWatched(...(await db.batch([insertAudit(db, audit), ...changes])))) ports.changed();
  const [after, [alarm]] = await Promise.all([findJob(db, job.id), alarmed]);
  if (after?.job.state === "finished") await closeLog(ports, job.id);
  else if (alarm.status === "rejected") await log.setAlarm(job.id, alarmAt);
  return after?.job ?? job;
}
