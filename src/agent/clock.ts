/**
 * Time and chance, as the agent takes them: everything that waits or draws lots is handed a Clock, so that tests
 * decide how time passes. Deadlines use `monotonic`, never `now`: a wall clock that jumps must not end a job.
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970: for timestamps in events alone. */
  now(): number;
  /** Milliseconds from an arbitrary start, never going back. */
  monotonic(): number;
  /** Resolves after `ms`, or as soon as `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** 0 (inclusive) to 1 (exclusive). */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal?.addEventListener("abort", wake);
    }),
};

/** A whole number of milliseconds, evenly from `low` to `high`. */
export function between(clock: Clock, low: number, high: number): number {
  return Math.floor(low + clock.random() * (high - low));
}
