/** A job's log over HTTP: pages, downloads, single events and lines, and what is found in it. */
import { LogEventAt, LogPage } from "../protocol/log-events.ts";
import { LogLine, type LogMatch, LogMatches, LogSummary } from "../protocol/log-reading.ts";
import { ApiProblem } from "./errors.ts";
import type { Transport } from "./transport.ts";

export type Logs = ReturnType<typeof logs>;

/** The events as they are stored, the text with its terminal sequences, or without. */
export type DownloadForm = "events" | "text" | "plain";

export interface SearchQuery {
  q: string;
  ignoreCase?: boolean | undefined;
  /** Matches that begin in earlier events are not told. */
  from?: number | undefined;
}

export function logs(transport: Transport) {
  const path = (jobId: string, rest = "") => `/api/v1/logs/${jobId}${rest}`;
  const search = (jobId: string, { q, ignoreCase, from }: SearchQuery, cursor?: string) =>
    transport.json(LogMatches, {
      method: "GET",
      path: path(jobId, "/search"),
      query: { q, ignore_case: ignoreCase === true ? "true" : undefined, from, cursor },
    });
  return {
    /**
     * Events from position `from` on, up to the next gap; none where a gap begins there, and `next` is that gap's end.
     * `next` is null once the log is final and read: readLog makes records of pages.
     */
    page: (jobId: string, from: number) =>
      transport.json(LogPage, { method: "GET", path: path(jobId), query: { token: from } }),
    /** How long it is and, once it is final, its SHA-256 and until when it is kept. */
    summary: (jobId: string) => transport.json(LogSummary, { method: "GET", path: path(jobId, "/summary") }),
    /** All of its text at once; `download` takes less memory. */
    text: (jobId: string) => transport.text({ method: "GET", path: path(jobId), query: { token: 0, raw: "true" } }),
    /** Bytes as they come. Those of `events`, once the log is final, have the SHA-256 that the summary shows. */
    download: (jobId: string, form: DownloadForm) =>
      transport.stream({
        method: "GET",
        path: path(jobId, form === "events" ? "/events" : "/text"),
        query: { ansi: form === "plain" ? "strip" : undefined },
      }),
    /** The event at a position; null where none is stored, yet or ever. */
    event: (jobId: string, at: number) =>
      orNull(transport.json(LogEventAt, { method: "GET", path: path(jobId, "/event"), query: { at } })),
    /** Line `at` of the text, from 1; null where there is none, yet or ever. */
    line: (jobId: string, at: number) =>
      orNull(transport.json(LogLine, { method: "GET", path: path(jobId, "/line"), query: { at } })),
    /** One stretch of a search; `cursor` is the `next` of the one before. */
    search,
    /** Every match in what is stored, stretch after stretch. */
    async *find(jobId: string, query: SearchQuery): AsyncGenerator<LogMatch, void> {
      let cursor: string | undefined;
      for (;;) {
        const { matches, next, at_end } = await search(jobId, query, cursor);
        yield* matches;
        if (at_end || next === null) return;
        cursor = next;
      }
    },
  };
}

async function orNull<Value>(answer: Promise<Value>): Promise<Value | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return null;
    throw error;
  }
}
