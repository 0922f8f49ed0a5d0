import { expect, test } from "vitest";
import { decide, jobBegan, jobEnded, type Phase, waiting } from "../../../src/agent/agent-state.ts";
import { LenientSyncAnswer } from "../../../src/agent/hub-client.ts";

const starting: Phase = { state: "starting-job", jobId: "J" };
const running: Phase = { state: "running-job", jobId: "J" };
const stopping: Phase = { state: "stopping-job", jobId: "J" };
const finished: Phase = { state: "finished-job", jobId: "J", result: "passed" };
const all = [waiting, starting, running, stopping, finished];

function told(action: string, job_id = "", shutdown_reason = "") {
  return LenientSyncAnswer.parse({ action, job_id, shutdown_reason, next_sync_after: 1000 });
}

test("only a waiting agent takes a job, so that no two ever run at once", () => {
  expect(decide(waiting, waiting, told("run-job", "K"))).toEqual({
    phase: { state: "starting-job", jobId: "K" },
    step: { kind: "start", jobId: "K" },
  });
  for (const phase of [starting, running, stopping, finished]) {
    expect(decide(phase, waiting, told("run-job", "K"))).toEqual({ phase, step: { kind: "nothing" } });
  }
  expect(decide(waiting, waiting, told("run-job", "")).step.kind).toBe("nothing");
});

test("a job can be stopped from the moment it was taken until it ended", () => {
  for (const phase of [starting, running]) {
    expect(decide(phase, phase, told("stop-job", "J"))).toEqual({ phase: stopping, step: { kind: "stop" } });
  }
  for (const phase of [waiting, stopping, finished]) {
    expect(decide(phase, running, told("stop-job", "J"))).toEqual({ phase, step: { kind: "nothing" } });
  }
});

test("a stop that names another job stops nothing; one that names none means the only one", () => {
  expect(decide(running, running, told("stop-job", "K")).step.kind).toBe("nothing");
  expect(decide(running, running, told("stop-job", "")).step.kind).toBe("stop");
});

test("a result is forgotten only when the server answered the sync that carried it", () => {
  expect(decide(finished, finished, told("wait-for-jobs")).phase).toBe(waiting);
  expect(decide(finished, running, told("wait-for-jobs")).phase).toBe(finished);
  expect(decide(running, running, told("wait-for-jobs")).phase).toBe(running);
});

test("shutdown is obeyed in every state, with its reason", () => {
  for (const phase of all) {
    expect(decide(phase, phase, told("shutdown", "", "idle")).step).toEqual({ kind: "shutdown", reason: "idle" });
  }
  expect(decide(waiting, waiting, told("shutdown", "", "other")).step).toEqual({ kind: "shutdown", reason: "unknown" });
});

test("continue, unknown actions and answers without one change nothing", () => {
  for (const phase of all) {
    for (const answer of [told("continue"), told("dance"), LenientSyncAnswer.parse({})]) {
      expect(decide(phase, phase, answer)).toEqual({ phase, step: { kind: "nothing" } });
    }
  }
});

test("a job that was stopped before it began does not come to be running again", () => {
  expect(jobBegan(starting)).toEqual(running);
  expect(jobBegan(stopping)).toBe(stopping);
});

test("a job ends once, from any state in which there is one", () => {
  for (const phase of [starting, running, stopping]) expect(jobEnded(phase, "passed")).toEqual(finished);
  expect(jobEnded(waiting, "failed")).toBe(waiting);
  expect(jobEnded(finished, "failed")).toBe(finished);
});
