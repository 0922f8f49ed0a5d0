/** Where in a log a moment lies, by the clock of the agent that wrote it. */
import type { LogRecord } from "./log-assembler.ts";
import type { Logs } from "./logs.ts";

/**
 * A position before which every event is older than `since` (Unix seconds), found in few requests: times never fall along a
 * log, but for a clock that was set. In a gap there is nothing to compare with, and the position is the best one known.
 */
export async function positionSince(
  logs: Pick<Logs, "event" | "summary">,
  jobId: string,
  since: number,
): Promise<number> {
  let [low, high] = [0, (await logs.summary(jobId)).events];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = await logs.event(jobId, middle);
    if (found === null) break;
    if (found.event.timestamp < since) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Leaves out what stands before the first event of `since` or later; the end is told in any case. */
export async function* sinceOnly<Record extends LogRecord>(
  records: AsyncIterable<Record>,
  since: number,
): AsyncGenerator<Record, void> {
  let isReached = false;
  for await (const record of records) {
    isReached ||= record.kind === "end" || (record.kind === "event" && record.event.timestamp >= since);
    if (isReached) yield record;
  }
}
