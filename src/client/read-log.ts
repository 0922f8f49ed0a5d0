/**
 * A job's log as it is stored now, page after page, without a socket. A page's events stand at the asked position and
 * after it without a hole; a page without events that goes on further down tells a gap.
 */
import type { LogPage } from "../protocol/log-events.ts";
import { UnexpectedAnswer } from "./errors.ts";
import type { LogRecord } from "./log-assembler.ts";

export type StoredRecord = Extract<LogRecord, { kind: "event" | "gap" }>;

/** Up to the log's end, or to what is stored of it so far. @throws UnexpectedAnswer for a page that goes back. */
export async function* readLog(
  page: (position: number) => Promise<LogPage>,
  from: number,
): AsyncGenerator<StoredRecord, void> {
  for (let position = from; ; ) {
    const { events, next } = await page(position);
    for (const event of events) yield { kind: "event", position: position++, event };
    if (next === null) return;
    if (next < position) throw new UnexpectedAnswer(`a page of the log ends at ${position} and goes on at ${next}`);
    if (next > position) yield { kind: "gap", position, until: next };
    else if (events.length === 0) return;
    position = next;
  }
}
