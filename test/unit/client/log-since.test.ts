import { expect, it } from "vitest";
import type { LogRecord } from "../../../src/client/log-assembler.ts";
import { positionSince, sinceOnly } from "../../../src/client/log-since.ts";

/** A log with an event a second; `missing` positions never arrived. */
function logOf(events: number, missing: (position: number) => boolean = () => false) {
  const asked: number[] = [];
  return {
    asked,
    summary: async () => ({ job_id: "x", events, notices: [], final: null }),
    async event(_jobId: string, at: number) {
      asked.push(at);
      if (at >= events || missing(at)) return null;
      return { position: at, event: { event: "cmd_output" as const, timestamp: at, output: "" } };
    },
  };
}

it("the first event of a moment is found in few requests, however long the log", async () => {
  const log = logOf(400_000);
  for (const since of [0, 1, 77_777, 399_999, 400_000, 1e9]) {
    expect(await positionSince(log, "x", since)).toBe(Math.min(since, 400_000));
  }
  expect(log.asked.length).toBeLessThan(6 * 20);
  expect(await positionSince(logOf(0), "x", 5)).toBe(0);
});

it("where a gap hides the moment the position lies before it, never behind", async () => {
  for (let since = 0; since <= 1000; since += 7) {
    const position = await positionSince(
      logOf(1000, (at) => at >= 300 && at < 600),
      "x",
      since,
    );
    expect(position).toBeLessThanOrEqual(Math.max(since, 0));
  }
});

it("what is older is left out up to the first event that is not; the end is told always", async () => {
  const event = (position: number, timestamp: number): LogRecord => ({
    kind: "event",
    position,
    event: { event: "cmd_output", timestamp, output: "" },
  });
  const end: LogRecord = { kind: "end", position: 4, result: "passed" };
  const records: LogRecord[] = [event(0, 1), { kind: "gap", position: 1, until: 2 }, event(2, 5), event(3, 4), end];
  const from = async (since: number) => {
    const kept: LogRecord[] = [];
    for await (const record of sinceOnly(
      (async function* () {
        yield* records;
      })(),
      since,
    )) {
      kept.push(record);
    }
    return kept;
  };
  // A clock that was set back hides nothing that came later.
  expect(await from(5)).toEqual(records.slice(2));
  expect(await from(9)).toEqual([end]);
  expect(await from(0)).toEqual(records);
});
