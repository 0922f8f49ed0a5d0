/**
 * What follows from the answer to a log push, and how long to wait before the next (AGENT-PROTOCOL section 5.3).
 * Pure. Exactly 200 acknowledges, exactly 422 ends; whatever else happens, the same position is sent again.
 */
import { between, type Clock } from "./clock.ts";

export type PushOutcome =
  /** Stored: go on after it. */
  | "stored"
  /** The log token ran out: fetch another, send the same again. */
  | "unauthorized"
  /** The server takes no more of this log, for good. */
  | "closed"
  /** Send the same again. */
  | "failed";

export function outcomeOf(status: number): PushOutcome {
  switch (status) {
    case 200:
      return "stored";
    case 401:
      return "unauthorized";
    case 422:
      return "closed";
    default:
      return "failed";
  }
}

export interface PushSituation {
  /** Null: there was nothing to send. */
  readonly outcome: PushOutcome | null;
  /** The job has ended and the log is being flushed. */
  readonly flushing: boolean;
  /** More waits than the last batch could carry. */
  readonly backlog: boolean;
}

/** Viewers should see output soon; a server in trouble should be left alone for a moment. */
export function pushDelayMs(situation: PushSituation, clock: Clock): number {
  if (situation.outcome === "stored" && situation.backlog) return 0;
  if (situation.flushing) return between(clock, 250, 500);
  if (situation.outcome === "failed" || situation.outcome === "unauthorized") return between(clock, 1000, 2000);
  return between(clock, 300, 700);
}
