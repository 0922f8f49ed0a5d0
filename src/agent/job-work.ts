/**
 * One job as the session sees it: fetch the request, judge it, run it, and say how it ended. Never rejects: whatever
 * goes wrong is a failed job.
 */
import type { JobResult } from "../protocol/jobs.ts";
import type { HubClient } from "./hub-client.ts";
import { readJobRequest } from "./job-request.ts";
import { type JobContext, refuseJob, runJob } from "./job-run.ts";

const fetchTries = 10;
const fetchRetryMs = 3000;

export interface JobWork {
  readonly hub: HubClient;
  readonly context: Omit<JobContext, "refreshLogToken">;
  readonly jobId: string;
  readonly stop: AbortSignal;
  /** The request was read and the job begins. */
  readonly onBegin: () => void;
}

export async function doJob(work: JobWork): Promise<JobResult> {
  const { log } = work.context;
  try {
    const body = await fetchJob(work);
    if (work.stop.aborted) return "stopped";
    if (body === null) return "failed";
    const read = readJobRequest(body.value);
    work.onBegin();
    const context: JobContext = { ...work.context, refreshLogToken: (signal) => refreshLogToken(work, signal) };
    if (read.ok) return await runJob(context, read.job, work.stop);
    log(`job ${work.jobId} cannot be run: ${read.reason}`);
    if (read.logger !== null) await refuseJob(context, read.logger, read.reason);
    return "failed";
  } catch (failure) {
    log(`job ${work.jobId} ended in a fault of the agent: ${failure instanceof Error ? failure.stack : failure}`);
    return work.stop.aborted ? "stopped" : "failed";
  }
}

async function fetchJob({ hub, context, jobId, stop }: JobWork): Promise<{ value: unknown } | null> {
  for (let tried = 1; !stop.aborted; tried++) {
    const answer = await hub.job(jobId, stop);
    if (answer.ok) return { value: answer.value };
    if (stop.aborted) break;
    context.log(`job ${jobId} could not be fetched (${answer.detail}), try ${tried} of ${fetchTries}`);
    if (tried === fetchTries) break;
    await context.clock.sleep(fetchRetryMs, stop);
  }
  return null;
}

async function refreshLogToken({ hub, context }: JobWork, signal: AbortSignal): Promise<string | null> {
  const answer = await hub.refresh(signal);
  if (answer.ok) return answer.value.token;
  context.log(`the log token could not be refreshed (${answer.detail})`);
  return null;
}
