/**
 * One bash that runs a job's commands one after another, in a process group of its own, with stdin at /dev/null and
 * stdout and stderr on one pipe. Owns the processes: once `close` or `stop` resolved, the group is dead. Knows nothing
 * of logs; output goes to `onOutput` in the order in which it was written.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync } from "node:fs";
import type { Socket } from "node:net";
import { constants } from "node:os";
import { commandScript, opening, scriptDescriptor } from "./bash-script.ts";
import type { Clock } from "./clock.ts";
import { type Fifo, openFifo } from "./fifo.ts";
import { onAbandon } from "./live-jobs.ts";
import { type CommandEnd, MarkerScanner } from "./marker-scanner.ts";
import { endGroup, guardGroup, signalGroup } from "./process-group.ts";

export interface ShellOptions {
  /** Path of bash. */
  readonly bash: string;
  readonly env: Readonly<Record<string, string>>;
  readonly home: string;
  /** By which what leaves the group is known (job-mark.ts). */
  readonly mark: string;
  /** A directory that only the agent may enter: removed by the guard if the agent dies. */
  readonly privateDirectory: string;
  readonly clock: Clock;
  readonly onOutput: (bytes: Buffer) => void;
}

/** How long what outlives the shell may still write by itself: `exec > >(tee log)` ends a moment after bash. */
const lingerMs = 300;
/** Between SIGTERM and SIGKILL. */
const graceMs = 2000;
/** How long a shell may take to end once there is nothing more to do: its EXIT trap runs now. */
const closeMs = 5000;

export class BashShell {
  readonly #clock: Clock;
  readonly #onOutput: (bytes: Buffer) => void;
  readonly #child: ChildProcess;
  readonly #group: number;
  readonly #script: Socket;
  readonly #output: Socket;
  readonly #scanner = new MarkerScanner();
  readonly #outputEnded = new AbortController();
  readonly #gone: Promise<number>;
  #exited = new AbortController();
  #onEnd: ((end: CommandEnd) => void) | null = null;
  #flags = "";
  #stopping = false;
  #ending: Promise<void> | null = null;

  /** @throws where bash cannot be started. */
  static async open(options: ShellOptions): Promise<BashShell> {
    const script = await openFifo(options.privateDirectory, "writes");
    const output = await openFifo(options.privateDirectory, "reads");
    try {
      return new BashShell(options, await launch(options, script, output), script.socket, output.socket);
    } catch (failure) {
      script.socket.destroy();
      output.socket.destroy();
      throw failure;
    } finally {
      closeSync(script.childDescriptor);
      closeSync(output.childDescriptor);
    }
  }

  private constructor(options: ShellOptions, child: ChildProcess, script: Socket, output: Socket) {
    if (child.pid === undefined) throw new Error("a started process has an id");
    this.#clock = options.clock;
    this.#onOutput = options.onOutput;
    this.#child = child;
    this.#group = child.pid;
    this.#script = script;
    this.#output = output;
    const takeBack = onAbandon(() => signalGroup(this.#group, "SIGKILL"));
    const endGuard = guardGroup(this.#group, options.privateDirectory, options.mark);
    this.#gone = this.#untilGone().finally(() => {
      takeBack();
      endGuard();
    });
    output.on("data", (chunk: Buffer) => this.#take(chunk));
    output.on("close", () => this.#outputEnded.abort());
    script.write(opening);
  }

  /** Whether another command can be run. */
  get isAlive(): boolean {
    return !this.#exited.signal.aborted;
  }

  /** @returns the command's exit code; where it ended the shell itself, the shell's. */
  async run(command: string): Promise<number> {
    const nonce = randomBytes(16).toString("hex");
    const { promise: ended, resolve } = Promise.withResolvers<number>();
    this.#onEnd = (end) => {
      this.#flags = end.flags;
      resolve(end.exitCode);
    };
    this.#scanner.expect(nonce);
    this.#script.write(commandScript(command, nonce, this.#flags));
    return await Promise.race([ended, this.#gone]);
  }

  /** Stops and resumes reading what the job writes; a job whose output is not read waits. */
  setPaused(paused: boolean): void {
    if (paused && !this.#stopping) this.#output.pause();
    else this.#output.resume();
  }

  /** Nothing more to run: lets the shell end, then ends whatever it left behind. */
  async close(): Promise<void> {
    this.#script.end();
    await this.#clock.sleep(closeMs, this.#exited.signal);
    if (this.isAlive) await this.#endGroup();
    await this.#gone;
  }

  /** Ends the group whatever it is doing. A command under way ends with the shell. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.setPaused(false);
    if (this.isAlive) await this.#endGroup();
    await this.#gone;
  }

  /** Once: a stop and the shell's own end share the grace, and a group that was seen empty is not signalled again. */
  #endGroup(): Promise<void> {
    this.#ending ??= endGroup(this.#group, graceMs, this.#clock);
    return this.#ending;
  }

  #take(chunk: Buffer): void {
    const { output, end } = this.#scanner.scan(chunk);
    for (const bytes of output) this.#onOutput(bytes);
    if (end !== null) this.#onEnd?.(end);
  }

  async #untilGone(): Promise<number> {
    const exitCode = await exitOf(this.#child);
    this.#exited.abort();
    await this.#outputFor(lingerMs);
    await this.#endGroup();
    // The group is dead, so what is left to read is at most what a pipe holds: no reason to wait for the server.
    this.#stopping = true;
    this.setPaused(false);
    await this.#outputFor(lingerMs);
    this.#script.destroy();
    this.#output.destroy();
    const rest = this.#scanner.rest();
    if (rest.length > 0) this.#onOutput(rest);
    return exitCode;
  }

  /** Until the output ends, but not longer than this, not counting while nobody reads. */
  async #outputFor(limitMs: number): Promise<void> {
    let leftMs = limitMs;
    while (leftMs > 0 && !this.#outputEnded.signal.aborted) {
      const before = this.#clock.monotonic();
      await this.#clock.sleep(50, this.#outputEnded.signal);
      if (!this.#output.isPaused()) leftMs -= this.#clock.monotonic() - before;
    }
  }
}

async function launch(options: ShellOptions, script: Fifo, output: Fifo): Promise<ChildProcess> {
  const stdio: ("ignore" | number)[] = ["ignore", output.childDescriptor, output.childDescriptor];
  stdio[scriptDescriptor] = script.childDescriptor;
  const child = spawn(options.bash, ["--noprofile", "--norc", `/dev/fd/${scriptDescriptor}`], {
    cwd: options.home,
    env: { ...options.env },
    stdio,
    detached: true,
  });
  await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
  return child;
}

/** As a shell reports it: 128 and the signal's number where a signal ended it. */
function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
  });
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : constants.signals[signal];
}
