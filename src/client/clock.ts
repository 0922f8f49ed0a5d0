/** Time and chance as the client sees them, so that tests own both, and the backoff that is built from them. */

export interface Clock {
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** From 0 up to, never including, 1. */
  random(): number;
  /** Calls `action` again and again; the answer stops it. */
  every(milliseconds: number, action: () => void): () => void;
}

export const systemClock: Clock = {
  sleep(milliseconds, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, milliseconds);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
  random: Math.random,
  every(milliseconds, action) {
    const timer = setInterval(action, milliseconds);
    return () => clearInterval(timer);
  },
};

export interface Backoff {
  firstMilliseconds: number;
  mostMilliseconds: number;
}

/**
 * How long to wait before try `attempt` (from 1). Half of it is chance: clients that lost one server together
 * must not come back together, and none may come back at once.
 */
export function backoffMilliseconds(backoff: Backoff, attempt: number, random: () => number): number {
  const ceiling = Math.min(backoff.mostMilliseconds, backoff.firstMilliseconds * 2 ** Math.min(attempt - 1, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}
