/** One workerd process: started, known to be ready by its own word, and ended with everything in its group. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import workerd from "workerd";
import { Failure } from "../exit.ts";

export interface Runtime {
  /** Where it listens, as it said: null for a Unix socket. */
  readonly port: number | null;
  /** Resolves with what ended it: an exit code or a signal. */
  readonly ended: Promise<string>;
  /** Asks it to finish what is under way; after `patienceMs` it is ended. */
  stop(patienceMs: number): Promise<void>;
}

/** @throws Failure where it ends before it listens; what it had to say stands on our standard error. */
export async function startRuntime(configFile: string, env: NodeJS.ProcessEnv): Promise<Runtime> {
  const child = spawn(workerd.default, ["serve", "--experimental", "--control-fd=3", configFile], {
    env,
    // A group of its own: the terminal's Ctrl-C is ours to pass on, once.
    detached: true,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once("error", (error) => resolve(error.message));
  });
  const endAll = () => {
    // ESRCH is what we want.
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  };
  process.once("exit", endAll);
  const watcher = endWithUs(child.pid);
  void ended.then(() => {
    process.removeListener("exit", endAll);
    watcher?.kill("SIGKILL");
  });
  const report = await Promise.race([listening(child.stdio[3] as Readable), ended]);
  if (typeof report === "string") throw new Failure(`the runtime did not start: it ended with ${report}`);
  return {
    port: report.port,
    ended,
    async stop(patienceMs) {
      child.kill("SIGTERM");
      const tooLong = setTimeout(endAll, patienceMs);
      await ended;
      clearTimeout(tooLong);
    },
  };
}

/**
 * Ends the runtime should we be killed without a word: a shell of two words, which waits for the end of a pipe that only
 * we hold. Were the runtime left behind, it would keep the port, and write the storage beside the next one.
 */
function endWithUs(pid: number | undefined): ChildProcess | null {
  if (pid === undefined) return null;
  const watcher = spawn("/bin/sh", ["-c", 'read -r _ || kill -KILL "$1"', "sh", String(pid)], {
    // Out of our group: what kills that as a whole must not reach it.
    detached: true,
    env: {},
    stdio: ["pipe", "ignore", "ignore"],
  });
  // A machine without this shell goes without a watcher.
  watcher.on("error", () => undefined);
  watcher.unref();
  return watcher;
}

/** workerd's control messages: a line of JSON each, `{"event":"listen","socket":"http","port":3000}`. */
function listening(control: Readable): Promise<{ port: number | null }> {
  return new Promise((resolve) => {
    let text = "";
    control.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      for (const line of text.split("\n").slice(0, -1)) {
        const message = JSON.parse(line) as { event?: string; port?: number };
        if (message.event === "listen" || message.event === "listening") resolve({ port: message.port ?? null });
      }
    });
  });
}
