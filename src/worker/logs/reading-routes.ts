/** Reading logs over HTTP: pages, downloads, single events, and what a log is as a whole. */
import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { LogEventAt, LogPage } from "../../protocol/log-events.ts";
import { LogLine, LogMatches, LogSummary } from "../../protocol/log-reading.ts";
import type { Project } from "../../protocol/projects.ts";
import { isKnown, rangeFor } from "../http/conditional.ts";
import { json } from "../http/reply.ts";
import { type Answer, type Route, route } from "../http/route.ts";
import { type ByteRange, readByteRange } from "../lib/byte-range.ts";
import { fromHex, toBase64 } from "../lib/bytes.ts";
import { invalidField, notFound } from "../lib/fault.ts";
import { toTimestamp } from "../lib/time.ts";
import type { LogRooms } from "./log-access.ts";
import { deletionDue } from "./log-life.ts";
import { openLog } from "./log-reader.ts";
import { decodePlace, searchStart } from "./log-search.ts";
import { asStream, begun, eventPieces, pageBytes, textPieces, within } from "./log-text.ts";
import { eventAsJson, pageAsJson } from "./plain-read.ts";
import type { ReadableJobs } from "./readable.ts";
import { bytesOf, findLine, readLength, textPart } from "./text-parts.ts";
import { searchLog } from "./text-search.ts";

const Position = z.string().regex(/^\d{1,15}$/, "must be a position");

const LineNumber = z.string().regex(/^[1-9]\d{0,14}$/, "must be the number of a line, from 1");

const SearchText = z
  .string()
  .min(1, "must not be empty")
  .max(limits.logSearchChars)
  .refine((text) => !text.includes("\n"), "must lie on one line");

/** Each unit that is held back may lie in an event of its own. */
const cursorChars = 100 * limits.logSearchChars;

export interface LogReadingPorts<Env> {
  readonly rooms: LogRooms<Env>;
  readonly jobs: ReadableJobs;
  readonly projects: { find(id: string): Promise<Project | null> };
}

export function logReadingRoutes<Env>(ports: LogReadingPorts<Env>): Route[] {
  return [
    readRoute(ports),
    summaryRoute(ports),
    textRoute(ports),
    eventsRoute(ports),
    eventRoute(ports),
    lineRoute(ports),
    searchRoute(ports),
  ];
}

function readRoute<Env>(ports: LogReadingPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/v1/logs/:job_id",
    access: "person",
    summary: "Read a job's log from position `token` on; with `raw=true` as text",
    query: z.object({
      token: Position.default("0").transform(Number),
      raw: z.enum(["true", "false"]).default("false"),
    }),
    answers: {
      200: { description: "a page; `next` is null once the log is final and read", schema: LogPage },
      ...gone,
    },
    async handle({ principal, params, query }) {
      const log = await openLog(ports, principal, params.job_id);
      if (query.raw === "true") {
        return answer(asStream(await begun(textPieces(log, { from: query.token }))), "text/plain");
      }
      return answer(pageAsJson(await log.read({ from: query.token, maxBytes: pageBytes })), "application/json");
    },
  });
}

function summaryRoute<Env>(ports: LogReadingPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/v1/logs/:job_id/summary",
    access: "person",
    summary:
      "Say how long a job's log is, what the server says in it and, once it is final, its SHA-256 and how long it is kept",
    answers: { 200: { description: "the log as a whole", schema: LogSummary }, ...gone },
    async handle({ principal, params }) {
      const opened = await openLog(ports, principal, params.job_id);
      const { events, notices, final } = await opened.summary();
      const log = { job_id: opened.jobId, events, notices: [...notices] };
      if (final === null) return json(200, { ...log, final } satisfies LogSummary);
      const project = await ports.projects.find(opened.projectId);
      if (project === null) throw notFound();
      const { result, bytes, sha256, closedAt } = final;
      const closed_at = toTimestamp(closedAt);
      const delete_at = toTimestamp(deletionDue(closedAt, project.settings.log_retention_days));
      const whole = { result, bytes, sha256, closed_at, delete_at };
      return json(200, { ...log, final: whole } satisfies LogSummary);
    },
  });
}

function textRoute<Env>(ports: LogReadingPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/v1/logs/:job_id/text",
    access: "person",
    summary: "Download a job's log as text; `ansi=strip` leaves terminal sequences out",
    query: z.object({ ansi: z.enum(["keep", "strip"]).default("keep") }),
    answers: downloadAnswers("text/plain", "the text"),
    async handle({ principal, request, params: { job_id: id }, query: { ansi } }) {
      const log = await openLog(ports, principal, id);
      const final = await log.finalText();
      const pieces = () => textPieces(log, { ansi });
      const headers = downloadHeaders("text/plain", `job-${id}.log`);
      // A log that grows is another one at each read.
      if (final === null) return new Response(asStream(pieces()), { headers });
      const total = async () => bytesOf(final.length ?? (await readLength(log)), ansi);
      const part = (range: ByteRange) => textPart(log, ansi, range);
      return finalDownload(request, { pieces, total, part }, { ...headers, etag: `"${id}.${final.position}.${ansi}"` });
    },
  });
}

function eventsRoute<Env>(ports: LogReadingPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/v1/logs/:job_id/events",
    access: "person",
    summary: "Download a job's log as it is stored: one event a line; its SHA-256 is the one that the summary shows",
    answers: downloadAnswers("application/x-ndjson", "the stored events"),
    async handle({ principal, request, params: { job_id: id } }) {
      const log = await openLog(ports, principal, id);
      const { final } = await log.summary();
      const pieces = () => eventPieces(log);
      const headers = downloadHeaders("application/x-ndjson", `job-${id}.ndjson`);
      if (final === null) return new Response(asStream(pieces()), { headers });
      const { bytes, sha256 } = final;
      // RFC 9530: of the whole, whatever part of it is sent.
      const digest = { "repr-digest": `sha-256=:${toBase64(fromHex(sha256))}:` };
      const total = async () => bytes;
      const part = (range: ByteRange) => within(pieces(), range);
      return finalDownload(request, { pieces, total, part }, { ...headers, ...digest, etag: `"${sha256}"` });
    },
  });
}

function eventRoute<Env>(ports: LogReadingPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/v1/logs/:job_id/event",
    access: "person",
    summary: "Read the event at position `at` of a job's log",
    query: z.object({ at: Position.transform(Number) }),
    answers: { 200: { description: "the event; 404 where none is stored, yet or ever", schema: LogEventAt }, ...gone },
    async handle({ principal, params, query: { at } }) {
      const log = await openLog(ports, principal, params.job_id);
      const found = eventAsJson(await log.read({ from: at, maxBytes: 1 }), at);
      if (found === null) throw notFound();
      return answer(found, "application/json");
    },
  });
}

function lineRoute<Env>(ports: LogReadingPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/v1/logs/:job_id/line",
    access: "person",
    summary: "Read line `at`, from 1, of a job's log as text, and the position of the event that it begins in",
    query: z.object({ at: LineNumber.transform(Number) }),
    answers: { 200: { description: "the line; 404 where there is none, yet or ever", schema: LogLine }, ...gone },
    async handle({ principal, params, query: { at } }) {
      const found = await findLine(await openLog(ports, principal, params.job_id), at);
      if (found === null) throw notFound();
      return json(200, found satisfies LogLine);
    },
  });
}

function searchRoute<Env>(ports: LogReadingPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/v1/logs/:job_id/search",
    access: "person",
    summary: "Search a job's log as text for `q`, a stretch at a time: goes on at `cursor`",
    query: z.object({
      q: SearchText,
      ignore_case: z.enum(["true", "false"]).default("false"),
      from: Position.default("0").transform(Number),
      cursor: z.string().max(cursorChars).optional(),
    }),
    answers: { 200: { description: "what was found in this stretch, in its order", schema: LogMatches }, ...gone },
    async handle({ principal, params, query: { q, ignore_case, from, cursor } }) {
      const log = await openLog(ports, principal, params.job_id);
      const wanted = { text: q, ignoreCase: ignore_case === "true", from };
      const place = cursor === undefined ? searchStart : decodePlace(cursor, wanted);
      const found = place === null ? null : await searchLog(log, wanted, place);
      if (found === null) throw invalidField("?cursor", "is of no search for this text");
      return json(200, found satisfies LogMatches);
    },
  });
}

/** What every reader of a log may be told. */
const gone = { 410: { description: "the log was deleted (`log_deleted`)", schema: null } };

interface Download {
  readonly pieces: () => AsyncGenerator<Uint8Array, void>;
  readonly total: () => Promise<number>;
  readonly part: (range: ByteRange) => AsyncGenerator<Uint8Array, void>;
}

/** A final log never changes, so its parts may be asked for one by one. */
async function finalDownload(
  request: Request,
  { pieces, total, part }: Download,
  own: Record<string, string> & { readonly etag: string },
): Promise<Response> {
  const headers = { ...own, "accept-ranges": "bytes", "cache-control": "private, no-cache" };
  if (isKnown(request, own.etag)) return new Response(null, { status: 304, headers });
  const asked = rangeFor(request, own.etag);
  if (asked === null) return new Response(asStream(pieces()), { headers });
  const bytes = await total();
  const range = readByteRange(asked, bytes);
  if (range === null) return new Response(asStream(pieces()), { headers });
  if (range === "unsatisfiable") {
    return new Response(null, { status: 416, headers: { "content-range": `bytes */${bytes}` } });
  }
  const { first, end } = range;
  const partial = { ...headers, "content-range": `bytes ${first}-${end - 1}/${bytes}` };
  return new Response(asStream(part(range)), { status: 206, headers: partial });
}

function downloadHeaders(contentType: string, fileName: string): Record<string, string> {
  return {
    "content-type": `${contentType}; charset=utf-8`,
    "content-disposition": `attachment; filename="${fileName}"`,
  };
}

function downloadAnswers(contentType: string, what: string): Record<number, Answer> {
  return {
    200: { description: `${what}; with an ETag once the log is final`, schema: z.string(), contentType },
    206: { description: "the range asked for, of a final log", schema: z.string(), contentType },
    304: { description: "the final log, unchanged, as If-None-Match names it", schema: null },
    ...gone,
    416: { description: "the range begins behind the log's end", schema: null },
  };
}

function answer(body: BodyInit, mediaType: string): Response {
  return new Response(body, { headers: { "content-type": `${mediaType}; charset=utf-8` } });
}
