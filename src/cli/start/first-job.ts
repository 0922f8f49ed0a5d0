/** Starts the first job, shows its log as it comes, and judges it. */
import type { Client } from "../../client/client.ts";
import { follow } from "../../client/follow.ts";
import type { LogRecord } from "../../client/log-assembler.ts";
import type { Job } from "../../protocol/jobs.ts";
import type { Cli } from "../context.ts";
import { Failure } from "../exit.ts";
import { createLogPrinter } from "../log-printer.ts";
import { nodeSockets } from "../node-socket.ts";
import { keyNamed } from "../resolve.ts";
import type { DataFolder } from "./data-folder.ts";
import { demoJob, headCommit } from "./demo-job.ts";
import { filesHolding } from "./leaks.ts";
import type { Progress } from "./progress.ts";
import { type Demo, demoNames } from "./setup.ts";
import { summarize } from "./summary.ts";

export interface FirstJob {
  cli: Cli;
  client: Client;
  baseUrl: string;
  token: string;
  demo: Demo;
  secret: string;
  /** The data folder, which must hold no secret in clear. */
  folder: DataFolder;
  progress: Progress;
}

const mostSeconds = 150;

/** Whether the job passed and showed everything that it should. */
export async function runFirstJob(site: FirstJob): Promise<boolean> {
  const { client, demo, progress } = site;
  const job = await client.jobs.start(demo.project.id, demoJob(site.baseUrl, await headCommit()));
  progress.say(`job ${job.id} queued; its log, live:`);
  site.cli.output.raw("\n");
  const records = await watch(site, job);
  const checks = summarize({
    jobId: job.id,
    records,
    followedFromStart: job.state === "queued",
    secret: site.secret,
    publicKey: demo.publicKey,
    keysHandedOver: await wereHandedOver(site, job),
    leaks: await filesHolding(site.folder.path, [site.secret, demo.privateText ?? ""], site.folder.lock),
  });
  progress.summary(checks);
  const finished = await client.jobs.show(job.id);
  if (finished.reason) site.cli.output.line(`the job ended because: ${finished.reason}`);
  return finished.result === "passed" && checks.every((check) => check.done);
}

async function watch(site: FirstJob, job: Job): Promise<LogRecord[]> {
  const timeout = AbortSignal.timeout(mostSeconds * 1000);
  const printer = createLogPrinter(site.cli.output, "human");
  const records: LogRecord[] = [];
  try {
    const log = follow({
      baseUrl: site.baseUrl,
      jobId: job.id,
      sockets: nodeSockets(site.token),
      signal: AbortSignal.any([site.cli.signal, timeout]),
      onInterruption: (why) => site.cli.output.note(`signalbox: ${why}; trying again`),
    });
    for await (const record of log) {
      printer.print(record);
      records.push(record);
    }
  } catch (error) {
    if (!timeout.aborted) throw error;
    throw new Failure(`the first job did not end within ${mostSeconds} s`);
  }
  printer.end();
  return records;
}

/** The server notes on a key which job was handed it last. */
async function wereHandedOver(site: FirstJob, job: Job): Promise<boolean> {
  const names = [demoNames.sshKey, demoNames.secretKey];
  const keys = await Promise.all(names.map((name) => keyNamed(site.client, site.demo.project.id, name)));
  return keys.every((key) => key?.last_used_job === job.id);
}
