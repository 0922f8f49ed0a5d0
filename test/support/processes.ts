/** Our own commands as processes: started, awaited by what they print, and never left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

export interface Finished {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Standard output and error so far, as they came. */
  output(): string;
  /** Resolves once the output matches; rejects with all of it when the process ends before. */
  printed(pattern: RegExp): Promise<void>;
  readonly ended: Promise<Finished>;
  /** Ends it and everything in its process group. */
  kill(signal: NodeJS.Signals): void;
}

/** Starts `signalbox …` in a process group of its own. */
export function startSignalbox(args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [join(root, "src/cli/main.ts"), ...args], {
    cwd: root,
    detached: true,
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error("the process did not start");
  const heard = { stdout: "", stderr: "", both: "" };
  const waiting = new Set<() => void>();
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      heard[stream] += text;
      heard.both += text;
      for (const check of waiting) check();
    });
  }
  const ended = new Promise<Finished>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout: heard.stdout, stderr: heard.stderr }));
  });
  return {
    process: child,
    pid,
    output: () => heard.both,
    ended,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!pattern.test(heard.both)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
        void ended.then(() => reject(new Error(`it ended without printing ${pattern}:\n${heard.both}`)));
      }),
    kill(signal) {
      try {
        process.kill(-pid, signal);
      } catch {
        // It has ended already.
      }
    },
  };
}

/** Runs `signalbox …` to its end. */
export function signalbox(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  return startSignalbox(args, env).ended;
}

/** Whether a process is there, and no zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  const { readFile } = await import("node:fs/promises");
  try {
    return !/^\d+ \(.*\) Z/.test(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
