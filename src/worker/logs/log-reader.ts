/** A job's log for who may read it. Its room is believed in all but one thing: that nothing was ever written to it. */
import type { Person } from "../../protocol/principal.ts";
import { report } from "../lib/report.ts";
import { type LogRooms, roomOf } from "./log-access.ts";
import type { RoomSummary } from "./log-keeping.ts";
import type { EventsPage } from "./page.ts";
import { type ReadableJobs, requireReadable } from "./readable.ts";
import type { FinalText, FoundText, MarkedPage, TextPlace } from "./room-reading.ts";

/** Whatever reads throws Fault `log_deleted` where the log was deleted since it was opened. */
export interface LogReader {
  readonly jobId: string;
  readonly projectId: string;
  read(range: { from: number; maxBytes: number }): Promise<EventsPage>;
  readNear(place: TextPlace, maxBytes: number): Promise<MarkedPage>;
  summary(): Promise<RoomSummary>;
  /** Null where the log is not final. */
  finalText(): Promise<FinalText | null>;
  /** Spares who reads next the search. What cannot be kept is found again. */
  keepText(found: FoundText): Promise<void>;
}

/** @throws Fault `not_found`; `log_deleted`, to who may know that there was one */
export async function openLog<Env>(
  { jobs, rooms }: { readonly jobs: ReadableJobs; readonly rooms: LogRooms<Env> },
  person: Person,
  jobId: string,
): Promise<LogReader> {
  const job = await requireReadable(jobs, person, jobId);
  const room = roomOf(rooms, job.id);
  /**
   * An emptied room keeps no word of what it held: it seems to wait for a first event. So does that of a job which ended
   * a moment ago. The job's row tells them apart, for it is written before the room is emptied; it is asked again for
   * these two alone. The log of a job that has not ended is kept for a day at least.
   */
  const believed = async <Told>(told: Told, isBlank: boolean): Promise<Told> => {
    if (isBlank && job.state === "finished") await requireReadable(jobs, person, jobId);
    return told;
  };
  return {
    jobId: job.id,
    projectId: job.project_id,
    async read(range) {
      const page = await room.read(range);
      return believed(page, page.next === 0 && !page.isFinal);
    },
    async readNear(place, maxBytes) {
      const near = await room.readNear(place, maxBytes);
      return believed(near, near.page.next === 0 && !near.page.isFinal);
    },
    async summary() {
      const summary = await room.summary();
      return believed(summary, summary.events === 0 && summary.final === null);
    },
    async finalText() {
      const text = await room.finalText();
      return believed(text, text === null);
    },
    keepText: (found) =>
      room.keepText(found).catch((cause: unknown) => report("what was found out of a log's text was not kept", cause)),
  };
}
