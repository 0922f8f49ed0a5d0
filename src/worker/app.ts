/** The router, built from the route tables: one fetch function for everything. */
import * as z from "zod";
import { Health } from "../protocol/health.ts";
import { accessKeyRoutes, keySightingRoutes, organizationKeyRoutes } from "./access-keys/routes.ts";
import {
  accountRoutes,
  addressProofRoutes,
  auditRoutes,
  networkRoutes,
  organizationRoutes,
} from "./accounts/routes.ts";
import { agentProtocolRoutes, agentRoutes, agentTypeRoutes } from "./agents/routes.ts";
import type { Config, Env } from "./env.ts";
import { presentedCredential } from "./http/credential.ts";
import { empty, json, text } from "./http/reply.ts";
import { type CallContext, type Route, route } from "./http/route.ts";
import { createFetch, type Fetch } from "./http/router.ts";
import { checkTransport } from "./http/transport.ts";
import {
  identityProfileRoutes,
  identityRoutes,
  publicKeyRoutes,
  signingKeyRoutes,
  tokenRequestRoutes,
} from "./identity/routes.ts";
import { jobChangeRoutes, jobRoutes } from "./jobs/routes.ts";
import { systemRandom } from "./lib/bytes.ts";
import { bindingUnusable, unauthenticated } from "./lib/fault.ts";
import { uuidv7 } from "./lib/ids.ts";
import { systemClock } from "./lib/time.ts";
import { logRoutes } from "./logs/routes.ts";
import { projectRoutes } from "./projects/routes.ts";
import { sealingRoutes } from "./sealing/routes.ts";
import { createServices, type InBackground, type Services } from "./services.ts";
import { trustRoutes } from "./trust/routes.ts";

const newRequestId = () => uuidv7(systemClock(), systemRandom);

/** Everything that the Worker answers. Without a usable ISSUER it is health alone, which says so. */
export function createApp(env: Env, config: Config, inBackground: InBackground): Fetch {
  const { issuer } = config;
  if (issuer === null) return withoutIssuer(config);
  const services = createServices(env, config, issuer, inBackground);
  return createFetch({
    routes: routeTable(env, config, issuer, services),
    context: { authenticate: (credential, request) => authenticateInside(services, credential, request) },
    newRequestId,
    check: (request) => checkTransport(request, { issuer, trustProxy: config.trustProxy }),
    beforeRoutes: (request) => witness(services, request),
  });
}

/**
 * A proof's request is seen on the path that it took, whichever route lies there: a proxy may treat that path by a rule
 * of its own. Its credential is good for nothing else.
 */
async function witness({ addressProofs, networks }: Services, request: Request): Promise<Response | null> {
  const credential = presentedCredential(request);
  if (credential === null) return null;
  const isUpgrade = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  const isSeen = await addressProofs.witness({ credential, isUpgrade, address: networks.addressOf(request) });
  return isSeen ? empty(204) : null;
}

/** Every route there is, for the router, for OpenAPI and for the tests that hold them against the documents. */
export function routeTable(env: Env, config: Config, issuer: URL, services: Services): Route[] {
  return [
    frontPage(),
    healthRoute(config),
    ...publicRoutes(config, issuer),
    ...accountRoutes(services.accounts),
    ...organizationRoutes(services.accounts),
    ...networkRoutes(services.networkSettings, services.networks),
    ...addressProofRoutes(services.addressProofs),
    ...auditRoutes(env.DB),
    ...projectRoutes(services.projects),
    ...accessKeyRoutes(services.accessKeys),
    ...organizationKeyRoutes(services.accessKeys, services.keySharing),
    ...keySightingRoutes(services.keySightings),
    ...agentTypeRoutes(services.agentTypes),
    ...agentRoutes(services.agents),
    ...jobRoutes(services.jobs),
    ...jobChangeRoutes(services.jobChanges),
    ...identityRoutes(services.identity),
    ...identityProfileRoutes(services.identityProfiles),
    ...signingKeyRoutes(services.signingKeys),
    ...sealingRoutes(services.sealing),
    ...tokenRequestRoutes(services.tokenRequests, services.networks),
    ...trustRoutes(services.trust),
    ...logRoutes({
      rooms: env.LOG_ROOM,
      feed: services.feed,
      held: config.sealing,
      clock: systemClock,
      issuer,
      accounts: services.accounts,
      tickets: services.tickets,
      networks: services.networks,
      async requireCertificate(request, agentTypeId) {
        (await services.agentProtocol.certificates.presented(request)).require(agentTypeId);
      },
      jobs: services.jobs,
      projects: services.projects,
    }),
    ...agentProtocolRoutes(services.agentProtocol),
  ];
}

/** The credential first: only who holds one is told that the address is wrong. */
async function authenticateInside({ accounts, networks }: Services, credential: string, request: Request) {
  const person = await accounts.authenticate(credential);
  await networks.require("people", request);
  return person;
}

const strangers: CallContext = { authenticate: () => Promise.reject(unauthenticated()) };

function publicRoutes(config: Config, issuer: URL): Route[] {
  return publicKeyRoutes({ issuer: issuer.origin, signing: config.signing, clock: systemClock });
}

function withoutIssuer(config: Config): Fetch {
  return createFetch({
    routes: [healthRoute(config)],
    context: strangers,
    newRequestId,
    check(request) {
      if (new URL(request.url).pathname === "/api/health") return null;
      const problem = config.problems.find(({ binding }) => binding === "ISSUER");
      throw bindingUnusable("ISSUER", problem?.detail ?? "is not set");
    },
  });
}

/** Until there is a page: who answers here, and nothing of whose it is or which version. */
function frontPage(): Route {
  return route({
    method: "GET",
    path: "/",
    access: "public",
    summary: "Say in a line of text what answers here",
    answers: { 200: { description: "a line of text", schema: z.string(), contentType: "text/plain" } },
    handle: () => text(200, "Signalbox answers here: its API is under /api/v1, its public keys under /.well-known.\n"),
  });
}

function healthRoute({ problems }: Config): Route {
  return route({
    method: "GET",
    path: "/api/health",
    access: "public",
    summary: "Say which bindings are missing or malformed, never what they hold",
    answers: { 200: { description: "it answers; `problems` says what does not work", schema: Health } },
    handle: () => json(200, { status: problems.length === 0 ? "ok" : "degraded", problems }),
  });
}
