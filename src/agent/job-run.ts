/**
 * Runs one job from its request to its result: the order of everything that is in its log (AGENT-PROTOCOL section
 * 5.1), what runs after what, and that nothing of it is left behind. Resolves when the log was flushed.
 */
import { randomBytes } from "node:crypto";
import type { JobResult } from "../protocol/jobs.ts";
import type { Clock } from "./clock.ts";
import { EventSpool } from "./event-spool.ts";
import type { Fetch } from "./http.ts";
import { JobDirectory } from "./job-directory.ts";
import { exportLines, jobEnvironment } from "./job-environment.ts";
import { JobLog } from "./job-log.ts";
import { endMarked, killMarked } from "./job-mark.ts";
import type { Job, JobCommand, JobFile } from "./job-request.ts";
import { JobShells } from "./job-shells.ts";
import { onAbandon } from "./live-jobs.ts";
import { LogPusher, type LogTarget } from "./log-pusher.ts";

export interface JobContext {
  readonly workDir: string;
  readonly bash: string;
  readonly agentEnv: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly fetch: Fetch;
  readonly refreshLogToken: (signal: AbortSignal) => Promise<string | null>;
  readonly log: (line: string) => void;
}

const exportDirective = "Exporting environment variables";
const injectDirective = "Injecting Files";

export async function runJob(context: JobContext, job: Job, stop: AbortSignal): Promise<JobResult> {
  const { clock } = context;
  let shells: JobShells | null = null;
  const spool = new EventSpool((full) => shells?.setPaused(full));
  const pusher = openPusher(context, spool, job.logger);
  const log = new JobLog(spool, clock);
  log.begin();
  let result: JobResult = "failed";
  try {
    const directory = await JobDirectory.create(context.workDir);
    try {
      const mark = randomBytes(16).toString("hex");
      const { root: privateDirectory, home } = directory;
      const env = jobEnvironment(context.agentEnv, { home, mark, requested: job.env });
      const onOutput = (bytes: Buffer) => log.output(bytes);
      const options = { bash: context.bash, env, home, mark, privateDirectory, clock, onOutput };
      shells = new JobShells(options, () => spool.isFull);
      const steps = new JobSteps(job, log, shells, directory, stop);
      result = await withoutLeftovers(mark, context, () => steps.run());
    } finally {
      for (const failure of await directory.remove()) context.log(`a file of the job remains: ${failure}`);
    }
  } catch (failure) {
    log.say(`The agent could not run this job: ${messageOf(failure)}\n`);
    context.log(`a job could not be run: ${messageOf(failure)}`);
  }
  log.end(result);
  await pusher.flush();
  return result;
}

/** What left the shell's process group would read the next job's files. */
async function withoutLeftovers<Value>(mark: string, context: JobContext, work: () => Promise<Value>): Promise<Value> {
  const takeBack = onAbandon(() => killMarked(mark));
  try {
    return await work();
  } finally {
    const left = await endMarked(mark, context.clock);
    if (left > 0) context.log(`${left} processes of the job cannot be ended`);
    takeBack();
  }
}

/** A job that cannot be run as asked: its log says why. */
export async function refuseJob(context: JobContext, logger: LogTarget, reason: string): Promise<void> {
  const spool = new EventSpool(() => {});
  const pusher = openPusher(context, spool, logger);
  const log = new JobLog(spool, context.clock);
  log.begin();
  await log.command("Reading the job request", async () => {
    log.say(`This job cannot be run: ${reason}\n`);
    return 1;
  });
  log.end("failed");
  await pusher.flush();
}

class JobSteps {
  readonly #job: Job;
  readonly #log: JobLog;
  readonly #shells: JobShells;
  readonly #directory: JobDirectory;
  readonly #stop: AbortSignal;

  constructor(job: Job, log: JobLog, shells: JobShells, directory: JobDirectory, stop: AbortSignal) {
    this.#job = job;
    this.#log = log;
    this.#shells = shells;
    this.#directory = directory;
    this.#stop = stop;
  }

  /** Every process in the shells' groups is dead when this resolves. */
  async run(): Promise<JobResult> {
    const onStop = () => void this.#shells.stop();
    this.#stop.addEventListener("abort", onStop);
    try {
      const passed =
        (await this.#export()) === 0 && (await this.#inject()) === 0 && (await this.#commands(this.#job.commands));
      if (!this.#stop.aborted) await this.#epilogues(passed);
      return this.#stop.aborted ? "stopped" : passed ? "passed" : "failed";
    } finally {
      this.#stop.removeEventListener("abort", onStop);
      if (this.#stop.aborted) await this.#shells.stop();
      else await this.#shells.close();
    }
  }

  #export(): Promise<number> {
    return this.#log.command(exportDirective, async () => {
      this.#log.say(exportLines(this.#job.env.keys()));
      return await this.#orOne("bash could not be started", async () => void (await this.#shells.ready()));
    });
  }

  #inject(): Promise<number> {
    return this.#log.command(injectDirective, async () => {
      for (const file of this.#job.files) if ((await this.#injectOne(file)) !== 0) return 1;
      return 0;
    });
  }

  #injectOne(file: JobFile): Promise<number> {
    this.#log.say(`Injecting ${this.#directory.locate(file.path)} with file mode ${file.modeText}\n`);
    return this.#orOne("the file could not be written", () => this.#directory.write(file));
  }

  /** Until the first that fails. @returns whether none did. */
  async #commands(commands: readonly JobCommand[]): Promise<boolean> {
    for (const command of commands) {
      if (this.#stop.aborted || (await this.#command(command)) !== 0) return false;
    }
    return true;
  }

  #command({ directive, alias }: JobCommand): Promise<number> {
    return this.#log.command(alias ?? directive, async () => {
      if (alias !== null) this.#log.say(`Running: ${directive}\n`);
      let exitCode = 1;
      const failed = await this.#orOne("bash could not be started", async () => {
        exitCode = await this.#shells.run(directive);
      });
      // What a killed command returns says nothing of the command.
      return failed !== 0 || this.#stop.aborted ? 1 : exitCode;
    });
  }

  async #epilogues(passed: boolean): Promise<void> {
    await this.#log.command(exportDirective, async () => {
      this.#log.say(exportLines(["SEMAPHORE_JOB_RESULT"]));
      await this.#shells.export("SEMAPHORE_JOB_RESULT", passed ? "passed" : "failed");
      return this.#stop.aborted ? 1 : 0;
    });
    await this.#commands(this.#job.epilogueAlways);
    await this.#commands(passed ? this.#job.epilogueOnPass : this.#job.epilogueOnFail);
  }

  async #orOne(what: string, work: () => Promise<void>): Promise<number> {
    try {
      await work();
      return 0;
    } catch (failure) {
      this.#log.say(`${what}: ${messageOf(failure)}\n`);
      return 1;
    }
  }
}

function openPusher(context: JobContext, spool: EventSpool, target: LogTarget): LogPusher {
  const { clock, fetch, log } = context;
  return new LogPusher({ spool, target, refresh: context.refreshLogToken, fetch, clock, log });
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
