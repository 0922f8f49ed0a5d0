/**
 * The log of one job as it is written: events in their order, output cut into events by time and size. Output never
 * overtakes an event, nor an event output.
 */
import type { JobResult } from "../protocol/jobs.ts";
import type { Clock } from "./clock.ts";
import type { EventSpool } from "./event-spool.ts";
import { commandFinished, commandOutput, commandStarted, jobFinished, jobStarted } from "./job-events.ts";
import { OutputLines } from "./output-lines.ts";

export class JobLog {
  readonly #spool: EventSpool;
  readonly #clock: Clock;
  readonly #lines = new OutputLines();
  #timer: NodeJS.Timeout | null = null;

  constructor(spool: EventSpool, clock: Clock) {
    this.#spool = spool;
    this.#clock = clock;
  }

  begin(): void {
    this.#spool.append(jobStarted(this.#seconds()));
  }

  /** Bytes that the job wrote. */
  output(bytes: Uint8Array): void {
    this.#emit(this.#lines.write(bytes, this.#clock.monotonic()));
    this.#schedule();
  }

  /** Text of the agent's own. */
  say(text: string): void {
    this.#emit(this.#lines.end());
    this.#emit(text === "" ? [] : [text]);
  }

  /** A command's events around what `work` does. @returns its exit code. */
  async command(directive: string, work: () => Promise<number>): Promise<number> {
    const startedAt = this.#seconds();
    this.#spool.append(commandStarted(startedAt, directive));
    const exitCode = await work();
    this.#endOutput();
    this.#spool.append(commandFinished(this.#seconds(), { directive, exitCode, startedAt }));
    return exitCode;
  }

  /** The last event. */
  end(result: JobResult): void {
    this.#endOutput();
    this.#spool.append(jobFinished(this.#seconds(), result));
  }

  #endOutput(): void {
    this.#emit(this.#lines.end());
    this.#schedule();
  }

  #emit(outputs: string[]): void {
    for (const output of outputs) this.#spool.append(commandOutput(this.#seconds(), output));
  }

  #schedule(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const due = this.#lines.nextDue;
    if (due === null) return;
    this.#timer = setTimeout(
      () => {
        this.#emit(this.#lines.due(this.#clock.monotonic()));
        this.#schedule();
      },
      Math.max(1, Math.ceil(due - this.#clock.monotonic())),
    );
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}
