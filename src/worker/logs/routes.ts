/** Pushing, reading and watching logs over HTTP. Who asks is settled here; the room is touched only then. */
import * as z from "zod";
import { SocketTicket, SocketTicketCreate, ticketProtocolPrefix } from "../../protocol/accounts.ts";
import { Id } from "../../protocol/ids.ts";
import type { Job } from "../../protocol/jobs.ts";
import { LogEventAt, LogPage } from "../../protocol/log-events.ts";
import type { Person } from "../../protocol/principal.ts";
import type { NetworkGate } from "../accounts/network-gate.ts";
import { requireMay } from "../accounts/permissions.ts";
import type { SocketTickets } from "../accounts/socket-tickets.ts";
import type { HeldKeys } from "../crypto/keyring.ts";
import { type MacTokenClaims, verifyMacToken } from "../crypto/mac-token.ts";
import { isKnown, rangeFor } from "../http/conditional.ts";
import { presentedCredential } from "../http/credential.ts";
import { json } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import { readByteRange } from "../lib/byte-range.ts";
import { bindingUnusable, Fault, notFound, unauthenticated } from "../lib/fault.ts";
import { type Clock, toSeconds } from "../lib/time.ts";
import { readPosition, readStartFrom } from "./append.ts";
import { echoSocket } from "./echo-socket.ts";
import { forwardPush, forwardViewer, type LogRooms, roomOf } from "./log-access.ts";
import { asStream, finalPosition, pageBytes, textPieces, totalBytes, within } from "./log-text.ts";
import { eventAsJson, pageAsJson } from "./plain-read.ts";
import { protocolHeader } from "./wire.ts";

const Position = z.string().regex(/^\d{1,15}$/, "must be a position");

export interface LogRoutesPorts<Env> {
  readonly rooms: LogRooms<Env>;
  readonly held: HeldKeys;
  readonly clock: Clock;
  readonly issuer: URL;
  readonly accounts: { authenticate(credential: string): Promise<Person> };
  readonly tickets: SocketTickets;
  readonly networks: Pick<NetworkGate, "require">;
  /** `show` throws `not_found` for a job that the person may not see. */
  readonly jobs: { show(person: Person, id: string): Promise<Job> };
}

export function logRoutes<Env>(ports: LogRoutesPorts<Env>): Route[] {
  return [
    pushRoute(ports),
    readRoute(ports),
    downloadRoute(ports),
    eventRoute(ports),
    ticketRoute(ports),
    viewerRoute(ports),
  ];
}

function pushRoute<Env>(ports: LogRoutesPorts<Env>): Route {
  return route({
    method: "POST",
    path: "/api/v1/logs/:job_id",
    access: "bearer",
    summary: "Append events to a job's log from position `start_from` on (the agent protocol's push)",
    answers: {
      200: { description: "stored, now or before", schema: null },
      400: { description: "`start_from` is missing or malformed, or the body is no NDJSON", schema: null },
      422: { description: "over a limit, or the log is closed: send no more", schema: null },
      503: { description: "the job's masks cannot be opened: nothing was stored", schema: null },
    },
    async handle({ request, url, params, credential }) {
      const { claimNumber } = await requireLogToken(ports, credential, params.job_id);
      await ports.networks.require("agents", request);
      const startFrom = readStartFrom(url.searchParams.get("start_from"));
      if (startFrom === null) throw malformed("?start_from", "must be the position of the first event");
      return forwardPush(roomOf(ports.rooms, params.job_id), request, startFrom, claimNumber);
    },
  });
}

function readRoute<Env>(ports: LogRoutesPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/v1/logs/:job_id",
    access: "person",
    summary: "Read a job's log from position `token` on; with `raw=true` as text",
    query: z.object({
      token: Position.default("0").transform(Number),
      raw: z.enum(["true", "false"]).default("false"),
    }),
    answers: { 200: { description: "a page; `next` is null once the log is final and read", schema: LogPage } },
    async handle({ principal, params, query }) {
      await requireReadable(ports, principal, params.job_id);
      const room = roomOf(ports.rooms, params.job_id);
      if (query.raw === "true") return answer(asStream(textPieces(room, { from: query.token })), "text/plain");
      return answer(pageAsJson(await room.read({ from: query.token, maxBytes: pageBytes })), "application/json");
    },
  });
}

function downloadRoute<Env>(ports: LogRoutesPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/v1/logs/:job_id/text",
    access: "person",
    summary: "Download a job's log as text; `ansi=strip` leaves terminal sequences out",
    query: z.object({ ansi: z.enum(["keep", "strip"]).default("keep") }),
    answers: {
      200: {
        description: "the text; with an ETag once the log is final",
        schema: z.string(),
        contentType: "text/plain",
      },
      206: { description: "the range asked for, of a final log", schema: z.string(), contentType: "text/plain" },
      304: { description: "the final log, unchanged, as If-None-Match names it", schema: null },
      416: { description: "the range begins behind the log's end", schema: null },
    },
    async handle({ principal, request, params, query: { ansi } }) {
      const { id } = await requireReadable(ports, principal, params.job_id);
      const room = roomOf(ports.rooms, id);
      const position = await finalPosition(room);
      const pieces = () => textPieces(room, { ansi });
      const headers = {
        "content-type": "text/plain; charset=utf-8",
        "content-disposition": `attachment; filename="job-${id}.log"`,
      };
      // A log that grows is another one at each read.
      if (position === null) return new Response(asStream(pieces()), { headers });
      return finalText(request, pieces, { ...headers, etag: `"${id}.${position}.${ansi}"` });
    },
  });
}

function eventRoute<Env>(ports: LogRoutesPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/v1/logs/:job_id/event",
    access: "person",
    summary: "Read the event at position `at` of a job's log",
    query: z.object({ at: Position.transform(Number) }),
    answers: { 200: { description: "the event; 404 where none is stored, yet or ever", schema: LogEventAt } },
    async handle({ principal, params, query: { at } }) {
      const { id } = await requireReadable(ports, principal, params.job_id);
      const found = eventAsJson(await roomOf(ports.rooms, id).read({ from: at, maxBytes: 1 }), at);
      if (found === null) throw notFound();
      return answer(found, "application/json");
    },
  });
}

/** A final log never changes, so its parts may be asked for one by one. Its size as text is known by counting alone. */
async function finalText(
  request: Request,
  pieces: () => AsyncGenerator<Uint8Array, void>,
  own: Record<string, string> & { readonly etag: string },
): Promise<Response> {
  const headers = { ...own, "accept-ranges": "bytes", "cache-control": "private, no-cache" };
  if (isKnown(request, own.etag)) return new Response(null, { status: 304, headers });
  const asked = rangeFor(request, own.etag);
  if (asked === null) return new Response(asStream(pieces()), { headers });
  const total = await totalBytes(pieces());
  const range = readByteRange(asked, total);
  if (range === null) return new Response(asStream(pieces()), { headers });
  if (range === "unsatisfiable") {
    return new Response(null, { status: 416, headers: { "content-range": `bytes */${total}` } });
  }
  const { first, end } = range;
  const partial = { ...headers, "content-range": `bytes ${first}-${end - 1}/${total}` };
  return new Response(asStream(within(pieces(), range)), { status: 206, headers: partial });
}

/** Here and not with the accounts: whether the job may be watched is to be known first. */
function ticketRoute<Env>(ports: LogRoutesPorts<Env>): Route {
  return route({
    method: "POST",
    path: "/api/v1/socket-tickets",
    access: "person",
    summary: "Make a ticket that opens one socket, on a job or to be echoed, within 30 seconds",
    body: SocketTicketCreate,
    answers: { 201: { description: "made; shown this once", schema: SocketTicket } },
    async handle({ principal, body }) {
      if (body.purpose === "probe") return json(201, await ports.tickets.createProbe(principal));
      const job = await requireReadable(ports, principal, body.job_id);
      return json(201, await ports.tickets.create(principal, job.id));
    },
  });
}

/** `/api/ws/` is the same route: the router takes a trailing slash. */
function viewerRoute<Env>(ports: LogRoutesPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/ws",
    access: "socket",
    summary:
      "Watch a job's log: a websocket for `job_id` from position `from` on (protocol/log-frames.ts); `probe=true` echoes",
    answers: {
      101: { description: "the log follows, in frames", schema: null },
      426: { description: "not a websocket upgrade", schema: null },
    },
    async handle({ request, url }) {
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        throw new Fault("upgrade_required", "a websocket is served here: ask for an upgrade");
      }
      requireOwnOrigin(request, ports.issuer);
      if (url.searchParams.get("probe") === "true") return await openProbe(ports, request);
      const jobId = url.searchParams.get("job_id");
      const person = await requireViewer(ports, request, jobId ?? "");
      await ports.networks.require("viewers", request);
      if (jobId === null) throw malformed("?job_id", "must name the job to watch");
      const job = await requireReadable(ports, person, jobId);
      const from = readPosition(url.searchParams.get("from") ?? "0");
      if (from === null) throw malformed("?from", "must be a position");
      return forwardViewer(roomOf(ports.rooms, job.id), request, { from, principalId: person.id });
    },
  });
}

/** Checked by its MAC alone: a stranger wakes no room. @throws Fault `unauthenticated` */
async function requireLogToken<Env>(
  { held, clock }: LogRoutesPorts<Env>,
  credential: string,
  jobId: string,
): Promise<MacTokenClaims> {
  const [problem] = held.problems;
  if (held.keys.length === 0 && problem !== undefined) throw bindingUnusable(problem.binding, problem.detail);
  const claims = await verifyMacToken(held, "log", credential, toSeconds(clock()));
  if (claims === null || claims.jobId !== jobId) throw unauthenticated();
  return claims;
}

async function requireReadable<Env>({ jobs }: LogRoutesPorts<Env>, person: Person, jobId: string): Promise<Job> {
  if (!Id.safeParse(jobId).success) throw notFound();
  const job = await jobs.show(person, jobId);
  requireMay(person, "log.read", job.project_id);
  return job;
}

/** Only the header or a ticket: a cookie goes along with any page's socket and must not open one. */
function requireViewer<Env>({ accounts, tickets }: LogRoutesPorts<Env>, request: Request, jobId: string) {
  const credential = presentedCredential(request);
  if (credential !== null) return accounts.authenticate(credential);
  const ticket = offeredTicket(request.headers.get(protocolHeader));
  if (ticket === null) throw unauthenticated();
  return tickets.take(ticket, jobId);
}

/** On the path of the real sockets, or a proxy's rule for that path would go unseen. It touches no room. */
async function openProbe<Env>({ tickets, networks }: LogRoutesPorts<Env>, request: Request): Promise<Response> {
  const ticket = offeredTicket(request.headers.get(protocolHeader));
  if (ticket === null) throw unauthenticated();
  await tickets.takeProbe(ticket);
  await networks.require("viewers", request);
  return echoSocket();
}

function offeredTicket(protocols: string | null): string | null {
  const offered = (protocols ?? "").split(",").map((name) => name.trim());
  const ticket = offered.find((name) => name.startsWith(ticketProtocolPrefix));
  return ticket === undefined ? null : ticket.slice(ticketProtocolPrefix.length);
}

/** Compared with ISSUER, never with Host. Who sends no Origin is no browser page: the credential decides. */
function requireOwnOrigin(request: Request, issuer: URL): void {
  const origin = request.headers.get("origin") ?? "";
  if (origin !== "" && origin !== issuer.origin) throw new Fault("forbidden", "this origin may not open sockets here");
}

function answer(body: BodyInit, mediaType: string): Response {
  return new Response(body, { headers: { "content-type": `${mediaType}; charset=utf-8` } });
}

function malformed(pointer: string, detail: string): Fault {
  return new Fault("invalid_request", `${pointer} ${detail}`, { errors: [{ pointer, detail }] });
}
