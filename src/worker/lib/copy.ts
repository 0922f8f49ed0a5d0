/** A value kept for a while: asked for by every request, read from where it lies by few. */
import { Fault } from "./fault.ts";
import type { Clock, EpochMs } from "./time.ts";

export interface Copy<Value> {
  /** @throws Fault `unavailable` where the copy is too old and no other can be had. */
  current(): Promise<Value>;
  /** The next question reads anew: it was changed here. */
  forget(): void;
}

export interface CopyPorts<Value> {
  readonly clock: Clock;
  /** Until a change made elsewhere holds here. */
  readonly seconds: number;
  /** What it is, in the plural, for the refusal. */
  readonly what: string;
  load(): Promise<Value>;
}

export function createCopy<Value>({ clock, seconds, what, load }: CopyPorts<Value>): Copy<Value> {
  // A resolved value: a promise kept across requests would tie one request to another's.
  let copy: { readonly value: Value; readonly until: EpochMs } | null = null;
  let forgotten = 0;
  return {
    async current() {
      const now = clock();
      if (copy !== null && now < copy.until) return copy.value;
      const before = forgotten;
      const value = await load().catch((cause: unknown) => {
        throw new Fault("unavailable", `${what} cannot be read now`, { cause, retryAfterSeconds: 5 });
      });
      // What was read before a change must not outlive it here.
      if (before === forgotten) copy = { value, until: (now + seconds * 1000) as EpochMs };
      return value;
    },
    forget() {
      copy = null;
      forgotten += 1;
    },
  };
}
