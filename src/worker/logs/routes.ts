/** Pushing and watching logs over HTTP; reading-routes.ts reads them. Who asks is settled here; the room is touched only then. */
import { SocketTicket, SocketTicketCreate, ticketProtocolPrefix } from "../../protocol/accounts.ts";
import type { Person } from "../../protocol/principal.ts";
import type { NetworkGate } from "../accounts/network-gate.ts";
import { requireMay } from "../accounts/permissions.ts";
import type { SocketTickets } from "../accounts/socket-tickets.ts";
import { protocolHeader } from "../accounts/socket-wire.ts";
import type { HeldKeys } from "../crypto/keyring.ts";
import { type LogTokenClaims, verifyMacToken } from "../crypto/mac-token.ts";
import { presentedCredential } from "../http/credential.ts";
import { json } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import type { Feed } from "../jobs/feed-access.ts";
import { bindingUnusable, Fault, unauthenticated } from "../lib/fault.ts";
import { type Clock, toSeconds } from "../lib/time.ts";
import { echoSocket } from "./echo-socket.ts";
import { forwardPush, forwardViewer, roomOf } from "./log-access.ts";
import { readPosition, readStartFrom } from "./positions.ts";
import { requireReadable } from "./readable.ts";
import { type LogReadingPorts, logReadingRoutes } from "./reading-routes.ts";

export interface LogRoutesPorts<Env> extends LogReadingPorts<Env> {
  readonly held: HeldKeys;
  readonly clock: Clock;
  readonly issuer: URL;
  readonly accounts: { authenticate(credential: string): Promise<Person> };
  readonly tickets: SocketTickets;
  readonly networks: Pick<NetworkGate, "require">;
  readonly feed: Pick<Feed, "open">;
  /** @throws Fault `forbidden` without a client certificate that the agent type requires */
  requireCertificate(request: Request, agentTypeId: string): Promise<void>;
}

export function logRoutes<Env>(ports: LogRoutesPorts<Env>): Route[] {
  return [pushRoute(ports), ...logReadingRoutes(ports), ticketRoute(ports), socketRoute(ports)];
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
      const { claimNumber, agentTypeId } = await requireLogToken(ports, credential, params.job_id);
      await ports.networks.require("agents", request);
      await ports.requireCertificate(request, agentTypeId);
      const startFrom = readStartFrom(url.searchParams.get("start_from"));
      if (startFrom === null) throw malformed("?start_from", "must be the position of the first event");
      return forwardPush(roomOf(ports.rooms, params.job_id), request, startFrom, claimNumber);
    },
  });
}

/** Here and not with the accounts: whether the job may be watched is to be known first. */
function ticketRoute<Env>(ports: LogRoutesPorts<Env>): Route {
  return route({
    method: "POST",
    path: "/api/v1/socket-tickets",
    access: "person",
    summary: "Make a ticket that opens one socket, on a job, on the feed or to be echoed, within 30 seconds",
    body: SocketTicketCreate,
    answers: { 201: { description: "made; shown this once", schema: SocketTicket } },
    async handle({ principal, body }) {
      if (body.purpose === "job") await requireReadable(ports.jobs, principal, body.job_id);
      return json(201, await ports.tickets.create(principal, body));
    },
  });
}

/** `/api/ws/` is the same route: the router takes a trailing slash. */
function socketRoute<Env>(ports: LogRoutesPorts<Env>): Route {
  return route({
    method: "GET",
    path: "/api/ws",
    access: "socket",
    summary:
      "A websocket: a job's log for `job_id` from position `from` on, else how states of jobs change after `after`; `probe=true` echoes",
    answers: {
      101: { description: "the log, or the changes, follow in frames", schema: null },
      426: { description: "not a websocket upgrade", schema: null },
    },
    async handle({ request, url }) {
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        throw new Fault("upgrade_required", "a websocket is served here: ask for an upgrade");
      }
      requireOwnOrigin(request, ports.issuer);
      if (url.searchParams.get("probe") === "true") return await openProbe(ports, request);
      const jobId = url.searchParams.get("job_id");
      return jobId === null
        ? await openFeed(ports, request, url.searchParams)
        : await openLog(ports, request, jobId, url.searchParams);
    },
  });
}

async function openLog<Env>(ports: LogRoutesPorts<Env>, request: Request, jobId: string, query: URLSearchParams) {
  const person = await requireViewer(ports, request, { purpose: "job", job_id: jobId });
  await ports.networks.require("viewers", request);
  const job = await requireReadable(ports.jobs, person, jobId);
  const from = readPosition(query.get("from") ?? "0");
  if (from === null) throw malformed("?from", "must be a position");
  const opening = { from, principalId: person.id, hasEnded: job.state === "finished" };
  return forwardViewer(roomOf(ports.rooms, job.id), request, opening, ports.clock);
}

async function openFeed<Env>(ports: LogRoutesPorts<Env>, request: Request, query: URLSearchParams) {
  const person = await requireViewer(ports, request, { purpose: "feed" });
  await ports.networks.require("viewers", request);
  requireMay(person, "job.read", person.projectId);
  // Whoever means a log must not be told of something else.
  if (query.has("from")) throw malformed("?job_id", "must name the job to watch");
  const after = readPosition(query.get("after") ?? "0");
  if (after === null) throw malformed("?after", "must be a position");
  return ports.feed.open(request, person.id, after);
}

/** Checked by its MAC alone: a stranger wakes no room. @throws Fault `unauthenticated` */
async function requireLogToken<Env>(
  { held, clock }: LogRoutesPorts<Env>,
  credential: string,
  jobId: string,
): Promise<LogTokenClaims> {
  const [problem] = held.problems;
  if (held.keys.length === 0 && problem !== undefined) throw bindingUnusable(problem.binding, problem.detail);
  const claims = await verifyMacToken(held, "log", credential, toSeconds(clock()));
  if (claims?.kind !== "log" || claims.jobId !== jobId) throw unauthenticated();
  return claims;
}

/** Only the header or a ticket: a cookie goes along with any page's socket and must not open one. */
function requireViewer<Env>({ accounts, tickets }: LogRoutesPorts<Env>, request: Request, opens: SocketTicketCreate) {
  const credential = presentedCredential(request);
  if (credential !== null) return accounts.authenticate(credential);
  const ticket = offeredTicket(request.headers.get(protocolHeader));
  if (ticket === null) throw unauthenticated();
  return tickets.take(ticket, opens);
}

/** On the path of the real sockets, or a proxy's rule for that path would go unseen. It touches no room. */
async function openProbe<Env>({ tickets, networks }: LogRoutesPorts<Env>, request: Request): Promise<Response> {
  const ticket = offeredTicket(request.headers.get(protocolHeader));
  if (ticket === null) throw unauthenticated();
  await tickets.take(ticket, { purpose: "probe" });
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

function malformed(pointer: string, detail: string): Fault {
  return new Fault("invalid_request", `${pointer} ${detail}`, { errors: [{ pointer, detail }] });
}
