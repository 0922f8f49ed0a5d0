/**
 * A clock whose time passes only when everybody waits: the earliest sleeper wakes first, in no real time. Keeps the
 * lengths of all sleeps.
 */
import type { Clock } from "../../../src/agent/clock.ts";

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

export function fakeClock(): Clock & { readonly slept: number[] } {
  let time = 0;
  let sleepers: Sleeper[] = [];
  const slept: number[] = [];
  const tick = () => {
    const next = sleepers.toSorted((a, b) => a.until - b.until)[0];
    if (next === undefined) return;
    time = Math.max(time, next.until);
    next.wake();
  };
  return {
    slept,
    now: () => 1_800_000_000_000 + time,
    monotonic: () => time,
    random: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        slept.push(ms);
        const wake = () => {
          sleepers = sleepers.filter((other) => other !== sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const sleeper = { until: time + ms, wake };
        sleepers.push(sleeper);
        signal?.addEventListener("abort", wake);
        setImmediate(tick);
      }),
  };
}
