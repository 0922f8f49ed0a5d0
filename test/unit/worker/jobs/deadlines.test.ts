import { describe, expect, test } from "vitest";
import { JobResult } from "../../../../src/protocol/jobs.ts";
import { verdict } from "../../../../src/worker/jobs/deadlines.ts";
import type { EpochMs } from "../../../../src/worker/lib/time.ts";
import { plusSeconds, toTimestamp } from "../../../../src/worker/lib/time.ts";
import { startedAt, storedJob } from "../fixtures.ts";

const deadlines = { agentLostSeconds: 100, queueLimitSeconds: 86_400 };
const later = (seconds: number, ms = 0) => (plusSeconds(startedAt, seconds) + ms) as EpochMs;
type Changes = Parameters<typeof storedJob>[0];
const at = (now: EpochMs, changes: Changes = {}) => verdict(storedJob(changes), now, deadlines);

describe("a running job whose agent syncs", () => {
  const seen = (seconds: number, limit = 600): Changes => ({
    agentLastSyncAt: later(seconds),
    job: { time_limit_seconds: limit },
  });

  test("waits for whichever comes first, its limit or the loss of its agent", () => {
    expect(at(later(10), seen(10))).toEqual({ kind: "wait", until: later(110) });
    expect(at(later(550), seen(550))).toEqual({ kind: "wait", until: later(600) });
    expect(at(later(500), seen(500))).toEqual({ kind: "wait", until: later(600) });
  });

  test("may use its limit to the last millisecond, and is stopped in the next", () => {
    expect(at(later(600, -1), seen(599))).toEqual({ kind: "wait", until: later(600) });
    const stop = { kind: "stop", reason: "its time limit of 600 s was reached", until: later(699) };
    expect(at(later(600), seen(599))).toEqual(stop);
    expect(at(later(698), seen(599))).toEqual(stop);
  });
});

describe("a running job whose agent is silent", () => {
  const silent: Changes = { agentLastSyncAt: later(50) };

  test("is lost 100 s after the last sync, not a millisecond before", () => {
    expect(at(later(150, -1), silent)).toEqual({ kind: "wait", until: later(150) });
    const reason = "its agent has not been heard of for 100 s";
    expect(at(later(150), silent)).toEqual({ kind: "finish", result: "failed", reason });
    expect(at(later(99_999), silent)).toEqual({ kind: "finish", result: "failed", reason });
  });

  test("counts from its claim where the agent never synced since", () => {
    for (const agentLastSyncAt of [null, later(-1000)]) {
      expect(at(later(99), { agentLastSyncAt })).toEqual({ kind: "wait", until: later(100) });
      expect(at(later(100), { agentLastSyncAt })).toMatchObject({ kind: "finish", result: "failed" });
    }
  });

  test("is lost rather than stopped where both deadlines have passed: nobody would hear of the stop", () => {
    expect(at(later(700), { agentLastSyncAt: later(600) })).toMatchObject({ kind: "finish", result: "failed" });
  });
});

describe("a stopping job", () => {
  const stopping = (askedAt: number, seenAt: number, stopReason: string | null = null): Changes => ({
    agentLastSyncAt: later(seenAt),
    stopReason,
    job: { state: "stopping", stop_requested_at: toTimestamp(later(askedAt)) },
  });

  test("waits for its agent, its limit long gone, until that is lost or has ignored the stop for 120 s", () => {
    expect(at(later(5000), stopping(4990, 4950))).toEqual({ kind: "wait", until: later(5050) });
    expect(at(later(5000), stopping(4900, 4999))).toEqual({ kind: "wait", until: later(5020) });
  });

  test("whose agent is lost was stopped, as was asked", () => {
    const reason = "its agent has not been heard of for 100 s";
    expect(at(later(5050, -1), stopping(4990, 4950))).toMatchObject({ kind: "wait" });
    expect(at(later(5050), stopping(4990, 4950))).toEqual({ kind: "finish", result: "stopped", reason });
  });

  test("whose agent syncs on and does not stop it is ended by us", () => {
    const reason = "its agent did not stop it within 120 s";
    expect(at(later(5020, -1), stopping(4900, 5019))).toMatchObject({ kind: "wait" });
    expect(at(later(5020), stopping(4900, 5019))).toEqual({ kind: "finish", result: "stopped", reason });
  });

  test("that we end still says why it was to be stopped", () => {
    expect(at(later(5050), stopping(4990, 4950, "asked by somebody"))).toMatchObject({
      reason: "asked by somebody; its agent has not been heard of for 100 s",
    });
    expect(at(later(5020), stopping(4900, 5019, "asked by somebody"))).toMatchObject({
      reason: "asked by somebody; its agent did not stop it within 120 s",
    });
  });
});

test("a queued job waits, also one that was claimed and given back", () => {
  for (const changes of [
    { claimedAt: null, job: { state: "queued", claim_number: 0 } },
    { claimedAt: startedAt, job: { state: "queued", claim_number: 2 } },
  ] as const) {
    expect(at(later(9999), changes)).toEqual({ kind: "wait", until: later(9999 + 86_400) });
  }
});

test.each(JobResult.options)("a job that %s stays so, whatever the time", (result) => {
  for (const now of [later(0), later(600), later(1e6)]) {
    expect(at(now, { job: { state: "finished", result } })).toEqual({ kind: "finished", result });
  }
});

test("a wait always ends in the future, so that no alarm rings without end", () => {
  for (let seconds = 0; seconds < 800; seconds += 7) {
    for (const state of ["queued", "running", "stopping"] as const) {
      for (const seenAt of [0, seconds - 3, seconds - 99]) {
        const now = later(seconds);
        const stop_requested_at = toTimestamp(later(seenAt));
        const decided = at(now, { agentLastSyncAt: later(seenAt), job: { state, stop_requested_at } });
        if (decided.kind === "wait" || decided.kind === "stop") expect(decided.until).toBeGreaterThan(now);
      }
    }
  }
});
