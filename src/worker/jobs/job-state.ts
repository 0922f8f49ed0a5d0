/**
 * The job's state machine. Pure: it says what may follow what; each write in SQL is guarded by the states before it.
 *
 *   queued ──claim──▶ running ──finish──▶ finished (passed, failed, stopped)
 *     ▲                 │ │                  ▲
 *     └────release──────┘ └─stop─▶ stopping ─┘
 *     └─────────────stop────────────────────▶ finished (stopped)
 */
import type { JobState } from "../../protocol/jobs.ts";

export type JobTransition = "claim" | "release" | "stop" | "finish";

const next: Record<JobState, Partial<Record<JobTransition, JobState>>> = {
  // Nobody runs it yet: a stop ends it at once.
  queued: { claim: "running", stop: "finished", finish: "finished" },
  running: { release: "queued", stop: "stopping", finish: "finished" },
  // Whoever asked first is who stopped it.
  stopping: { finish: "finished" },
  finished: {},
};

/** The state that follows, or null where the transition is not open. */
export function nextState(state: JobState, transition: JobTransition): JobState | null {
  return next[state][transition] ?? null;
}

/** The states from which a transition is open. */
export function statesBefore(transition: JobTransition): JobState[] {
  return (Object.keys(next) as JobState[]).filter((state) => nextState(state, transition) !== null);
}

/** The same as a list for SQL's IN. */
export function sqlStatesBefore(transition: JobTransition): string {
  return statesBefore(transition)
    .map((state) => `'${state}'`)
    .join(", ");
}
