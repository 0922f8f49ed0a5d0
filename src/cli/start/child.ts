/**
 * A child process in a process group of its own, which ends as a group: the terminal's Ctrl-C does not reach it,
 * we stop it in order, and nothing that it started outlives it. Should we die without a word, it notices by the
 * closing of its channel (see worker-process.ts and commands/agent.ts).
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface Child {
  /** Resolves with what ended it: an exit code or a signal. */
  readonly ended: Promise<string>;
  /** Asks it to end, then ends it, and with it everything in its group. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  script: string;
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Both its output streams; begun anew. */
  logFile: string;
  /** How it is asked to end. Closing its channel is what also happens should we die. */
  endBy: "SIGTERM" | "disconnect";
  onMessage?: (message: unknown) => void;
}

/** The second SIGTERM makes an agent leave at once, and tidy up; then comes the end of patience. */
const reminderMilliseconds = 3000;
const patienceMilliseconds = 6000;

export function startChild(options: ChildOptions): Child {
  const log = openSync(options.logFile, "w", 0o600);
  const child = spawn(process.execPath, [options.script, ...options.args], {
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
    env: { ...options.env },
  });
  closeSync(log);
  if (options.onMessage) child.on("message", options.onMessage);
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once("error", (error) => resolve(error.message));
  });
  const sweep = () => endGroup(child.pid);
  process.once("exit", sweep);
  void ended.then(sweep);
  return {
    ended,
    async stop() {
      if (options.endBy === "SIGTERM") child.kill("SIGTERM");
      else if (child.connected) child.disconnect();
      const reminder = setTimeout(() => options.endBy === "SIGTERM" && child.kill("SIGTERM"), reminderMilliseconds);
      const waiting = new AbortController();
      const tooLong = sleep(patienceMilliseconds, undefined, { signal: waiting.signal }).catch(() => undefined);
      await Promise.race([ended, tooLong]);
      waiting.abort();
      clearTimeout(reminder);
      sweep();
      await ended;
      process.removeListener("exit", sweep);
    },
  };
}

/** The whole group at once; that nothing is left of it is what was wanted. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // ESRCH: already gone.
  }
}

/** What children may know of our environment: no credential, and not the demo's secret. */
export function childEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const withheld = /^(SIGNALBOX_|CLOUDFLARE_|CF_|WRANGLER_|MINIFLARE_|NODE_|npm_|SEMAPHORE_)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !withheld.test(name)));
}
