import { describe, expect, test } from "vitest";
import { JobResult } from "../../../../src/protocol/jobs.ts";
import { verdict } from "../../../../src/worker/jobs/deadlines.ts";
import type { EpochMs } from "../../../../src/worker/lib/time.ts";
import { plusSeconds } from "../../../../src/worker/lib/time.ts";
import { startedAt, storedJob } from "../fixtures.ts";

const deadlines = { agentLostSeconds: 100, queueLimitSeconds: 86_400 };
const after = (seconds: number, ms = 0) => (plusSeconds(startedAt, seconds) + ms) as EpochMs;
type Changes = Parameters<typeof storedJob>[0];
const at = (now: EpochMs, changes: Changes = {}) => verdict(storedJob(changes), now, deadlines);

describe("a running job whose agent syncs", () => {
  const seen = (seconds: number, limit = 600): Changes => ({
    agentLastSyncAt: after(seconds),
    job: { time_limit_seconds: limit },
  });

  test("waits for whichever comes first, its limit or the loss of its agent", () => {
    expect(at(after(10), seen(10))).toEqual({ kind: "wait", until: after(110) });
    expect(at(after(550), seen(550))).toEqual({ kind: "wait", until: after(600) });
    expect(at(after(500), seen(500))).toEqual({ kind: "wait", until: after(600) });
  });

  test("may use its limit to the last millisecond, and is stopped in the next", () => {
    expect(at(after(600, -1), seen(599))).toEqual({ kind: "wait", until: after(600) });
    const stop = { kind: "stop", reason: "its time limit of 600 s was reached", until: after(699) };
    expect(at(after(600), seen(599))).toEqual(stop);
    expect(at(after(698), seen(599))).toEqual(stop);
  });
});

describe("a running job whose agent is silent", () => {
  const silent: Changes = { agentLastSyncAt: after(50) };

  test("is lost 100 s after the last sync, not a millisecond before", () => {
    expect(at(after(150, -1), silent)).toEqual({ kind: "wait", until: after(150) });
    const reason = "its agent has not been heard of for 100 s";
    expect(at(after(150), silent)).toEqual({ kind: "finish", result: "failed", reason });
    expect(at(after(99_999), silent)).toEqual({ kind: "finish", result: "failed", reason });
  });

  test("counts from its claim where the agent never synced since", () => {
    for (const agentLastSyncAt of [null, after(-1000)]) {
      expect(at(after(99), { agentLastSyncAt })).toEqual({ kind: "wait", until: after(100) });
      expect(at(after(100), { agentLastSyncAt })).toMatchObject({ kind: "finish", result: "failed" });
    }
  });

  test("is lost rather than stopped where both deadlines have passed: nobody would hear of the stop", () => {
    expect(at(after(700), { agentLastSyncAt: after(600) })).toMatchObject({ kind: "finish", result: "failed" });
  });
});

describe("a stopping job", () => {
  const stopping = (seconds: number): Changes => ({ agentLastSyncAt: after(seconds), job: { state: "stopping" } });

  test("waits for its agent alone, its limit long gone", () => {
    expect(at(after(5000), stopping(4950))).toEqual({ kind: "wait", until: after(5050) });
  });

  test("whose agent is lost was stopped, as was asked", () => {
    expect(at(after(5050), stopping(4950))).toMatchObject({ kind: "finish", result: "stopped" });
  });
});

test("a queued job waits, also one that was claimed and given back", () => {
  for (const changes of [
    { claimedAt: null, job: { state: "queued", claim_number: 0 } },
    { claimedAt: startedAt, job: { state: "queued", claim_number: 2 } },
  ] as const) {
    expect(at(after(9999), changes)).toEqual({ kind: "wait", until: after(9999 + 86_400) });
  }
});

test.each(JobResult.options)("a job that %s stays so, whatever the time", (result) => {
  for (const now of [after(0), after(600), after(1e6)]) {
    expect(at(now, { job: { state: "finished", result } })).toEqual({ kind: "finished", result });
  }
});

test("a wait always ends in the future, so that no alarm rings without end", () => {
  for (let seconds = 0; seconds < 800; seconds += 7) {
    for (const state of ["queued", "running", "stopping"] as const) {
      for (const seenAt of [0, seconds - 3, seconds - 99]) {
        const now = after(seconds);
        const decided = at(now, { agentLastSyncAt: after(seenAt), job: { state } });
        if (decided.kind === "wait" || decided.kind === "stop") expect(decided.until).toBeGreaterThan(now);
      }
    }
  }
});
