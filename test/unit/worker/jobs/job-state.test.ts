import { describe, expect, test } from "vitest";
import { JobState } from "../../../../src/protocol/jobs.ts";
import { type JobTransition, nextState, statesBefore } from "../../../../src/worker/jobs/job-state.ts";

const states = JobState.options;
const transitions: JobTransition[] = ["claim", "release", "stop", "finish"];

/** DESIGN section 8, the whole table; null: not open. */
const table: Record<JobState, Record<JobTransition, JobState | null>> = {
  queued: { claim: "running", release: null, stop: "finished", finish: "finished" },
  running: { claim: null, release: "queued", stop: "stopping", finish: "finished" },
  stopping: { claim: null, release: null, stop: null, finish: "finished" },
  finished: { claim: null, release: null, stop: null, finish: null },
};

describe.each(states)("from %s", (state) => {
  test.each(transitions)("%s leads where the table says", (transition) => {
    expect(nextState(state, transition)).toBe(table[state][transition]);
  });
});

test("the guard of a write names exactly the states from which it is open", () => {
  for (const transition of transitions) {
    const open = states.filter((state) => table[state][transition] !== null);
    expect(statesBefore(transition).sort()).toEqual([...open].sort());
  }
});

test("a finished job stays finished, a stopping one is given to nobody, and every job can end", () => {
  for (const transition of transitions) expect(nextState("finished", transition)).toBeNull();
  expect(statesBefore("claim")).toEqual(["queued"]);
  expect(statesBefore("release")).toEqual(["running"]);
  expect(statesBefore("finish").sort()).toEqual(["queued", "running", "stopping"]);
});
