/**
 * Carries one job's events from the spool to the server, one push at a time, until the log is flushed or the server
 * closes it. A push that failed in any way is sent again from the same position; nothing is ever skipped.
 */
import type { Clock } from "./clock.ts";
import type { EventSpool } from "./event-spool.ts";
import { exchange, type Fetch } from "./http.ts";
import { outcomeOf, type PushOutcome, pushDelayMs } from "./push-decision.ts";
import { userAgent } from "./version.ts";

export interface LogTarget {
  readonly url: string;
  readonly token: string;
}

export interface LogPusherOptions {
  readonly spool: EventSpool;
  readonly target: LogTarget;
  /** A new log token, or null where none is to be had now. */
  readonly refresh: (signal: AbortSignal) => Promise<string | null>;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

const flushLimitMs = 60_000;

export class LogPusher {
  readonly #options: LogPusherOptions;
  readonly #givenUp = new AbortController();
  readonly #running: Promise<void>;
  #token: string;
  #wake = new AbortController();
  #flushing = false;

  /** Begins to push at once. */
  constructor(options: LogPusherOptions) {
    this.#options = options;
    this.#token = options.target.token;
    this.#running = this.#run();
  }

  /** Ends when everything that was spooled is stored, the log is closed, or the flush took too long. */
  async flush(): Promise<void> {
    this.#flushing = true;
    this.#wake.abort();
    const ended = new AbortController();
    const limit = this.#options.clock.sleep(flushLimitMs, ended.signal).then(() => {
      if (ended.signal.aborted) return;
      this.#options.log("the log could not be delivered in time; what is left of it is lost");
      this.#givenUp.abort();
      this.#wake.abort();
    });
    await this.#running;
    ended.abort();
    await limit;
  }

  async #run(): Promise<void> {
    const { spool, clock, log } = this.#options;
    for (;;) {
      // Before anything is looked at: a flush asked for from here on must cut the next sleep short.
      this.#wake = new AbortController();
      if (this.#givenUp.signal.aborted || (this.#flushing && spool.isEmpty)) return;
      const { outcome, backlog } = await this.#pushOnce();
      if (outcome === "closed") {
        log("the server takes no more of this log; the job goes on without one");
        spool.discard();
        return;
      }
      const delay = pushDelayMs({ outcome, flushing: this.#flushing, backlog }, clock);
      if (!(this.#flushing && spool.isEmpty)) await clock.sleep(delay, this.#wake.signal);
    }
  }

  async #pushOnce(): Promise<{ outcome: PushOutcome | null; backlog: boolean }> {
    const outcome = await this.#push();
    if (outcome !== "unauthorized") return { outcome, backlog: outcome === "stored" && !this.#options.spool.isEmpty };
    const token = await this.#options.refresh(this.#givenUp.signal);
    if (token === null) return { outcome, backlog: false };
    this.#token = token;
    return { outcome: await this.#push(), backlog: false };
  }

  async #push(): Promise<PushOutcome | null> {
    const { spool, target, fetch, log } = this.#options;
    const batch = spool.batch();
    if (batch === null) return null;
    const answer = await exchange(fetch, {
      method: "POST",
      url: `${target.url}?start_from=${batch.startFrom}`,
      headers: { Authorization: `Bearer ${this.#token}`, "Content-Type": "text/plain", "User-Agent": userAgent },
      body: batch.body,
      signal: this.#givenUp.signal,
    });
    const outcome = outcomeOf(answer.status);
    if (outcome === "stored") spool.acknowledge(batch);
    if (outcome === "failed") log(`a log push failed (${answer.status || answer.body}); it will be sent again`);
    return outcome;
  }
}
