import * as z from "zod";
import { SocketTicket, SocketTicketCreate, socketProtocol, ticketProtocolPrefix } from "../../protocol/accounts.ts";
import { Id } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { LogEvent, LogPage } from "../../protocol/log-events.ts";
import type { Person } from "../../protocol/principal.ts";
import type { Accounts } from "../accounts/accounts.ts";
import { requireMay } from "../accounts/permissions.ts";
import type { SocketTickets } from "../accounts/socket-tickets.ts";
import type { HeldKeys } from "../crypto/keyring.ts";
import { verifyMacToken } from "../crypto/mac-token.ts";
import { presentedCredential } from "../http/credential.ts";
import { json, text } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { fromUtf8 } from "../lib/bytes.ts";
import { Fault, unauthenticated } from "../lib/fault.ts";
import { type Clock, toSeconds } from "../lib/time.ts";
import { forwardPush, forwardViewer, type LogRooms, roomOf } from "./log-access.ts";

export interface LogRoutesPorts<Env> {
  readonly rooms: LogRooms<Env>;
  readonly held: HeldKeys;
  readonly clock: Clock;
  readonly issuer: URL;
  readonly accounts: Pick<Accounts, "authenticate">;
  readonly tickets: SocketTickets;
  readonly jobs: Pick<Jobs, "show">;
}

const pageBytesMax = 1024 * 1024;

const ReadQuery = z.object({
  token: z.coerce.number().int().min(0).default(0),
  raw: z.enum(["true", "false"]).default("false"),
});

export function logRoutes<Env>(ports: LogRoutesPorts<Env>): Route[] {
  const { jobs, tickets } = ports;
  const visibleJob = async (person: Person, jobId: string) => {
    const job = await jobs.show(person, jobId);
    requireMay(person, "log.read", job.project_id);
    return job;
  };
  return [
    pushRoute(ports),
    route({
      method: "GET",
      path: "/api/v1/logs/:job_id",
      access: "person",
      summary: "Read a log from event `token` on; `raw=true` gives its text",
      query: ReadQuery,
      answers: {
        200: { description: "events, and where to go on; `next` is null once the log is final", schema: LogPage },
      },
      async handle({ principal, params, query }) {
        await visibleJob(principal, params.job_id);
        const page = await roomOf(ports.rooms, params.job_id).read({ from: query.token, maxBytes: pageBytesMax });
        const events = readEvents(page.events);
        if (query.raw === "true") return text(200, events.map(rawText).join(""));
        return json(200, { events, next: page.isFinal ? null : page.next });
      },
    }),
    route({
      method: "POST",
      path: "/api/v1/socket-tickets",
      access: "person",
      summary: "Make a ticket that opens one websocket, for clients that cannot send a header",
      body: SocketTicketCreate,
      answers: { 201: { description: "the ticket; it lives 30 s", schema: SocketTicket } },
      async handle({ principal, body }) {
        await visibleJob(principal, body.job_id);
        return json(201, await tickets.create(principal, body.job_id));
      },
    }),
    route({
      method: "GET",
      path: "/api/ws",
      access: "socket",
      summary: "Watch a job's log live: a websocket of binary frames (docs/storage.md, src/protocol/log-frames.ts)",
      query: SocketQuery,
      answers: { 101: { description: "the socket", schema: null } },
      async handle({ request, query }) {
        checkUpgrade(request, ports.issuer);
        const person = await viewerOf(ports, request, query.job_id);
        await visibleJob(person, query.job_id);
        const room = roomOf(ports.rooms, query.job_id);
        return forwardViewer(room, request, { from: query.from, principalId: person.id });
      },
    }),
  ];
}

const SocketQuery = z.object({ job_id: Id, from: z.coerce.number().int().min(0).default(0) });

/**
 * The agent's push. Its token is a MAC: a forged, expired or foreign one is refused before the room is touched.
 * Every other answer is the room's, with the protocol's own codes.
 */
function pushRoute<Env>({ rooms, held, clock }: LogRoutesPorts<Env>): Route {
  return route({
    method: "POST",
    path: "/api/v1/logs/:job_id",
    access: "bearer",
    summary: `Agent: push up to ${limits.logPushEvents} events as NDJSON, the first at position \`start_from\``,
    answers: {
      200: { description: "stored, or stored before", schema: null },
      422: { description: "no more is taken: too large, too much, or the log is closed", schema: null },
    },
    async handle({ request, url, params, credential }) {
      const token = await verifyMacToken(held, "log", credential, toSeconds(clock()));
      if (token === null || token.jobId !== params.job_id) throw unauthenticated();
      return forwardPush(roomOf(rooms, params.job_id), request, readStartFrom(url), token.claimNumber);
    },
  });
}

function readStartFrom(url: URL): number {
  const given = url.searchParams.get("start_from") ?? "";
  const startFrom = /^[0-9]{1,15}$/.test(given) ? Number(given) : null;
  if (startFrom !== null) return startFrom;
  throw new Fault("invalid_request", "the query does not fit", {
    errors: [{ pointer: "?start_from", detail: "must be the position of the first event" }],
  });
}

/**
 * A websocket is open to every origin unless it is checked (cross-site websocket hijacking). Absent or empty, as
 * proxies make it, the credential alone decides; a cookie never does.
 */
function checkUpgrade(request: Request, issuer: URL): void {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    throw new Fault("upgrade_required", "this is a websocket: send Upgrade: websocket");
  }
  const origin = request.headers.get("origin") ?? "";
  if (origin !== "" && origin !== issuer.origin) throw new Fault("forbidden", "a page of another origin may not watch");
}

/** Who watches: by header, or by a single-use ticket beside the subprotocol. */
async function viewerOf<Env>(ports: LogRoutesPorts<Env>, request: Request, jobId: string): Promise<Person> {
  const credential = presentedCredential(request);
  if (credential !== null) return ports.accounts.authenticate(credential);
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
  const ticket = offered.find((name) => name.startsWith(ticketProtocolPrefix));
  if (ticket === undefined || !offered.includes(socketProtocol)) throw unauthenticated();
  return ports.tickets.take(ticket.slice(ticketProtocolPrefix.length), jobId);
}

function readEvents(ndjson: Uint8Array): LogEvent[] {
  const lines = fromUtf8(ndjson).split("\n").slice(0, -1);
  return lines.map((line) => LogEvent.parse(JSON.parse(line)));
}

/** Directives and outputs, as Semaphore's raw form has it. */
function rawText(event: LogEvent): string {
  if (event.event === "cmd_started") return `${event.directive}\n`;
  return event.event === "cmd_output" ? event.output : "";
}
