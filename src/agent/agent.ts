/**
 * Our own small agent: registers with a hub, takes jobs and runs them, until the hub says that it is over. Speaks the
 * Semaphore self-hosted agent's protocol, nothing of Signalbox's own. Handles no signals: the CLI aborts `signal` on
 * the first, and on the second calls `abandonJobs` and exits.
 */
import { accessSync, constants } from "node:fs";
import { arch, hostname, release, type } from "node:os";
import { delimiter, join, resolve } from "node:path";
import type { RegisterRequest } from "../protocol/agent-protocol.ts";
import type { ShutdownReason } from "./agent-state.ts";
import { type Clock, systemClock } from "./clock.ts";
import { AgentRefused, AgentUnreachable } from "./errors.ts";
import type { Fetch } from "./http.ts";
import { HubClient } from "./hub-client.ts";
import { abandonJobs } from "./live-jobs.ts";
import { Session } from "./session.ts";
import { agentVersion } from "./version.ts";

export type { ShutdownReason } from "./agent-state.ts";
export { AgentRefused, AgentUnreachable } from "./errors.ts";
export { abandonJobs } from "./live-jobs.ts";

export interface AgentOptions {
  /** With scheme: `http://127.0.0.1:8787`. May hold a path prefix. */
  readonly endpoint: string;
  /** The registration token of an agent type. */
  readonly token: string;
  readonly name: string;
  /** Each job gets a directory of its own in it, which is removed at the job's end. */
  readonly workDir: string;
  /** Ends after one job. */
  readonly singleJob?: boolean;
  /** Seconds without a job after which the server ends the agent; 0: never. */
  readonly idleTimeoutSeconds?: number;
  /** Seconds that a running job may still take after an interrupt; the server keeps count. */
  readonly interruptionGraceSeconds?: number;
  /** Aborts when the agent should end. */
  readonly signal: AbortSignal;
  /** The agent's own diagnostics: never holds a secret. */
  readonly log: (line: string) => void;
  readonly fetch?: Fetch;
  /** Any of `now`, `monotonic`, `sleep` and `random`, in place of the system's. */
  readonly clock?: Partial<Clock>;
  /** What the agent's jobs may inherit from; the process's own environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

const registerTries = 30;
const registerRetryMs = 1000;

/** @throws AgentRefused where the agent may not register, AgentUnreachable where nobody answers. */
export async function runAgent(options: AgentOptions): Promise<ShutdownReason> {
  if (process.platform === "win32") throw new AgentRefused("this agent runs jobs with bash: it needs Linux or macOS");
  if (!/^https?:$/.test(URL.parse(options.endpoint)?.protocol ?? "")) {
    throw new AgentRefused("the endpoint must be an http or https URL such as https://ci.example.com");
  }
  const env = options.env ?? process.env;
  const clock = { ...systemClock, ...options.clock };
  const fetch: Fetch = options.fetch ?? globalThis.fetch;
  const bash = findBash(env.PATH ?? "");
  const hub = new HubClient(options.endpoint, fetch);
  if (!(await register(options, hub, clock))) return "interrupted";
  const context = { workDir: resolve(options.workDir), bash, agentEnv: env, clock, fetch, log: options.log };
  // Whatever ends the process, jobs must not outlive it: nobody would stop them.
  process.on("exit", abandonJobs);
  try {
    return await new Session({ hub, context, interrupt: options.signal }).run();
  } finally {
    process.off("exit", abandonJobs);
  }
}

/** @returns false where the agent was interrupted first. */
async function register(options: AgentOptions, hub: HubClient, clock: Clock): Promise<boolean> {
  const request: RegisterRequest = {
    name: options.name,
    version: agentVersion,
    pid: process.pid,
    os: `${type()} ${release()}`,
    arch: arch() === "x64" ? "x86_64" : arch(),
    hostname: hostname(),
    single_job: options.singleJob ?? false,
    idle_timeout: options.idleTimeoutSeconds ?? 0,
    interruption_grace_period: options.interruptionGraceSeconds ?? 0,
    job_id: "",
  };
  for (let tried = 1; !options.signal.aborted; tried++) {
    const answer = await hub.register(options.token, request, options.signal);
    if (answer.ok) {
      options.log(`registered as ${answer.value.name}`);
      return true;
    }
    if (options.signal.aborted) return false;
    if ([400, 401, 404, 422].includes(answer.status)) throw new AgentRefused(refusal(answer));
    options.log(`could not register (${answer.detail}), try ${tried} of ${registerTries}`);
    if (tried === registerTries) {
      throw new AgentUnreachable(`the server at ${options.endpoint} could not be reached: ${answer.detail}`);
    }
    await clock.sleep(registerRetryMs, options.signal);
  }
  return false;
}

function refusal({ status, detail }: { status: number; detail: string }): string {
  if (status === 400) return `the server refuses this agent: ${detail}`;
  return `the server does not take this registration token: it is wrong, expired or used up (${detail})`;
}

function findBash(path: string): string {
  for (const directory of [...path.split(delimiter), "/bin", "/usr/bin"]) {
    const candidate = join(directory, "bash");
    if (directory.startsWith("/") && isExecutable(candidate)) return candidate;
  }
  throw new AgentRefused("no bash was found: jobs need one");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
