/**
 * The life of a registered agent: one sync after another, doing what the answers say. Owns the phase and the one job
 * that may run. Decides nothing itself (agent-state.ts does), and never ends on its own but when the hub was out of
 * reach too long, or when it was interrupted with nothing to do and nobody to ask.
 */
import { decide, jobBegan, jobEnded, type Phase, type ShutdownReason, type Step, waiting } from "./agent-state.ts";
import { between, type Clock } from "./clock.ts";
import type { HubClient } from "./hub-client.ts";
import { doJob, type JobWork } from "./job-work.ts";

export interface SessionOptions {
  readonly hub: HubClient;
  readonly context: JobWork["context"];
  /** The operator wants the agent to end; the server decides when. */
  readonly interrupt: AbortSignal;
}

/** Without a successful sync for this long the server has given the job to the dead. */
const syncLossMs = 10 * 60_000;
const interruptedTries = 3;
/** One answer of a server being deployed may be wrong; so many are not. */
const unknownTries = 3;
const disconnectTries = 10;

export class Session {
  readonly #hub: HubClient;
  readonly #context: JobWork["context"];
  readonly #clock: Clock;
  readonly #interrupt: AbortSignal;
  #phase: Phase = waiting;
  #job: { readonly stop: AbortController; readonly ended: Promise<void> } | null = null;
  #interruptedAt = 0;
  /** Aborted when the next sync must not wait. Replaced before each sync. */
  #wake = new AbortController();

  constructor(options: SessionOptions) {
    this.#hub = options.hub;
    this.#context = options.context;
    this.#clock = options.context.clock;
    this.#interrupt = options.interrupt;
  }

  async run(): Promise<ShutdownReason> {
    const onInterrupt = () => this.#wake.abort();
    this.#interrupt.addEventListener("abort", onInterrupt);
    try {
      const reason = await this.#syncUntilShutdown();
      this.#job?.stop.abort();
      await this.#job?.ended;
      await this.#disconnect(reason === "unable-to-sync" || reason === "disconnected" ? 1 : disconnectTries);
      return reason;
    } finally {
      this.#interrupt.removeEventListener("abort", onInterrupt);
    }
  }

  async #syncUntilShutdown(): Promise<ShutdownReason> {
    let lastSuccess = this.#clock.monotonic();
    let failures = 0;
    let unknown = 0;
    for (;;) {
      this.#wake = new AbortController();
      if (this.#interrupt.aborted) this.#interruptedAt ||= Math.floor(this.#clock.now() / 1000);
      const said = this.#phase;
      const answer = await this.#sync(said);
      let delayMs = between(this.#clock, 1000, 3000);
      if (answer.ok) {
        lastSuccess = this.#clock.monotonic();
        failures = 0;
        unknown = 0;
        const { phase, step } = decide(this.#phase, said, answer.value);
        this.#phase = phase;
        if (step.kind === "shutdown") return step.reason;
        this.#take(step);
        if (answer.value.next_sync_after > 0) delayMs = answer.value.next_sync_after;
      } else if (!this.#wake.signal.aborted) {
        failures += 1;
        this.#context.log(`sync failed (${answer.detail})`);
        unknown = answer.status === 404 ? unknown + 1 : 0;
        // Somebody ended this agent: what it runs is nobody's any more.
        if (unknown >= unknownTries) return "disconnected";
        if (this.#clock.monotonic() - lastSuccess > syncLossMs) return "unable-to-sync";
        if (this.#interruptedAt > 0 && said === waiting && failures >= interruptedTries) return "interrupted";
      }
      await this.#clock.sleep(delayMs, this.#wake.signal);
    }
  }

  #sync(said: Phase) {
    const request = {
      state: said.state,
      job_id: said.state === "waiting-for-jobs" ? "" : said.jobId,
      job_result: said.state === "finished-job" ? said.result : ("" as const),
      interrupted_at: this.#interruptedAt,
    };
    // A server may hold the answer to a waiting agent for most of a minute: an interrupt cuts that short.
    const isHeld = said.state === "waiting-for-jobs" && this.#interruptedAt === 0;
    return this.#hub.sync(request, isHeld ? this.#wake.signal : undefined);
  }

  #take(step: Step): void {
    if (step.kind === "start") this.#start(step.jobId);
    if (step.kind === "stop") this.#job?.stop.abort();
  }

  #start(jobId: string): void {
    const stop = new AbortController();
    const onBegin = () => {
      this.#phase = jobBegan(this.#phase);
    };
    const work = doJob({ hub: this.#hub, context: this.#context, jobId, stop: stop.signal, onBegin });
    const ended = work.then((result) => {
      this.#phase = jobEnded(this.#phase, result);
      this.#wake.abort();
    });
    this.#job = { stop, ended };
  }

  async #disconnect(tries: number): Promise<void> {
    for (let tried = 1; ; tried++) {
      const answer = await this.#hub.disconnect();
      if (answer.ok) return;
      if (tried === tries) return this.#context.log(`could not disconnect (${answer.detail}); ending anyway`);
      await this.#clock.sleep(1000);
    }
  }
}
