/**
 * A job's log as it is stored now, page after page, without a socket. A page's events stand at the asked position and
 * after it without a hole; a page without events that goes on further down tells a gap.
 */
import type { LogPage } from "../protocol/log-events.ts";
import type { LogSummary } from "../protocol/log-reading.ts";
import { UnexpectedAnswer } from "./errors.ts";
import type { LogRecord } from "./log-assembler.ts";

export type StoredRecord = Extract<LogRecord, { kind: "event" | "gap" }>;
type Notice = Extract<LogRecord, { kind: "notice" }>;

/** Pages tell no notices: the log's summary does, and here each stands before the event of its position. */
export async function* withNotices(
  records: AsyncIterable<StoredRecord>,
  notices: LogSummary["notices"],
  from: number,
): AsyncGenerator<StoredRecord | Notice, void> {
  const left = notices.filter(({ position }) => position >= from);
  for await (const record of records) {
    for (let next = left[0]; next !== undefined && next.position <= record.position; next = left[0]) {
      left.shift();
      yield { kind: "notice", ...next };
    }
    yield record;
  }
  for (const notice of left) yield { kind: "notice", ...notice };
}

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
