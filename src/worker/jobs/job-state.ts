/**
 * The job's state machine. Pure: it says what may follow what; jobs-store.ts guards each write by the old state.
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
  stopping: { stop: "stopping", finish: "finished" },
  finished: {},
};

/** The state that follows, or null where the transition is not open. */
export function nextState(state: JobState, transition: JobTransition): JobState | null {
  return next[state][transition] ?? null;
}

/** The states from which a transition is open: the guard of its write. */
export function statesBefore(transition: JobTransition): JobState[] {
  return (Object.keys(next) as JobState[]).filter((state) => nextState(state, transition) !== null);
}
