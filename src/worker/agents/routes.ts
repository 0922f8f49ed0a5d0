/** The Semaphore self-hosted agent's protocol, and what people see of agents. Statuses are AGENT-PROTOCOL's. */
import * as z from "zod";
import {
  JobRequest,
  RefreshAnswer,
  RegisterAnswer,
  RegisterRequest,
  SyncAnswer,
  SyncRequest,
} from "../../protocol/agent-protocol.ts";
import {
  AgentList,
  AgentType,
  AgentTypeCreate,
  AgentTypeList,
  AgentTypePatch,
  RegistrationToken,
  RegistrationTokenCreate,
} from "../../protocol/agent-types.ts";
import { Page } from "../../protocol/list.ts";
import { Name } from "../../protocol/names.ts";
import { Problem } from "../../protocol/problem.ts";
import { readRevision } from "../http/if-match.ts";
import { created, empty, json, text } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import type { AgentAdmission } from "./agent-admission.ts";
import type { AgentTypes } from "./agent-types.ts";
import type { Agents } from "./agents.ts";
import type { CertificateGate } from "./certificate-gate.ts";
import type { HandOver } from "./hand-over.ts";
import type { Registration } from "./registration.ts";
import type { Sync } from "./sync.ts";

export interface AgentProtocol {
  readonly admit: AgentAdmission;
  readonly certificates: CertificateGate;
  readonly registration: Registration;
  readonly sync: Sync;
  readonly handOver: HandOver;
}

const base = "/api/v1/self_hosted_agents";

export function agentProtocolRoutes({ admit, certificates, registration, sync, handOver }: AgentProtocol): Route[] {
  const before = ({ credential, request }: { credential: string; request: Request }) => admit(credential, request);
  return [
    route({
      method: "POST",
      path: `${base}/register`,
      access: "bearer",
      before,
      summary: "Agent: exchange a registration token for an access token",
      body: RegisterRequest,
      notJson: "refused",
      answers: { 201: { description: "registered", schema: RegisterAnswer } },
      async handle({ credential, body, request }) {
        const presented = await certificates.presented(request);
        return json(201, await registration.register(credential, body, presented));
      },
    }),
    route({
      method: "POST",
      path: `${base}/sync`,
      access: "bearer",
      before,
      summary: "Agent: say what you do, hear what to do",
      body: SyncRequest,
      notJson: "refused",
      answers: { 200: { description: "what to do", schema: SyncAnswer } },
      handle: async ({ credential, body, request }) =>
        json(200, await sync(credential, body, await certificates.presented(request))),
    }),
    route({
      method: "GET",
      path: `${base}/jobs/:job_id`,
      access: "bearer",
      before,
      summary: "Agent: fetch the job that a sync gave; open until it runs",
      answers: { 200: { description: "the job, with its secrets", schema: JobRequest } },
      async handle({ credential, params, request }) {
        const presented = await certificates.presented(request);
        return json(200, await handOver.fetch(credential, params.job_id, presented));
      },
    }),
    route({
      method: "POST",
      path: `${base}/refresh`,
      access: "bearer",
      before,
      summary: "Agent: a fresh log token",
      answers: { 200: { description: "the token", schema: RefreshAnswer } },
      handle: async ({ credential, request }) =>
        json(200, await handOver.refresh(credential, await certificates.presented(request))),
    }),
    route({
      method: "POST",
      path: `${base}/disconnect`,
      access: "bearer",
      before,
      summary: "Agent: goodbye",
      answers: { 200: { description: "disconnected", schema: z.string(), contentType: "text/plain" } },
      async handle({ credential, request }) {
        await registration.disconnect(credential, await certificates.presented(request));
        return text(200, "disconnected");
      },
    }),
  ];
}

const NamedPage = Page.extend({ name: Name.optional() });

export function agentTypeRoutes(agentTypes: AgentTypes): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/agent-types",
      access: "person",
      summary: "Make an agent type: a queue, and whose jobs it takes",
      body: AgentTypeCreate,
      answers: {
        201: { description: "made", schema: AgentType },
        200: { description: "made before", schema: AgentType },
      },
      handle: async ({ principal, body }) => created(await agentTypes.create(principal, body)),
    }),
    route({
      method: "GET",
      path: "/api/v1/agent-types",
      access: "person",
      summary: "List the agent types that serve projects you may see",
      query: NamedPage,
      answers: { 200: { description: "a page", schema: AgentTypeList } },
      handle: async ({ principal, query }) => json(200, await agentTypes.list(principal, query.name ?? null, query)),
    }),
    route({
      method: "GET",
      path: "/api/v1/agent-types/:agent_type_id",
      access: "person",
      summary: "Show an agent type",
      answers: { 200: { description: "the agent type", schema: AgentType } },
      handle: async ({ principal, params }) => json(200, await agentTypes.show(principal, params.agent_type_id)),
    }),
    route({
      method: "PATCH",
      path: "/api/v1/agent-types/:agent_type_id",
      access: "person",
      summary: "Say which client certificates an agent type requires; If-Match takes the revision that you read",
      body: AgentTypePatch,
      answers: {
        200: { description: "the agent type as it is now", schema: AgentType },
        412: { description: "it has changed since", schema: Problem },
        422: { description: "no agent can present a certificate in this deployment", schema: Problem },
      },
      handle: async ({ principal, params, body, request }) =>
        json(200, await agentTypes.change(principal, params.agent_type_id, body, readRevision(request))),
    }),
    route({
      method: "POST",
      path: "/api/v1/agent-types/:agent_type_id/registration-tokens",
      access: "person",
      summary: "Make a registration token; it is shown once",
      body: RegistrationTokenCreate,
      answers: {
        201: { description: "made; `token` is shown this once", schema: RegistrationToken },
        200: { description: "made before", schema: RegistrationToken },
      },
      handle: async ({ principal, params, body }) =>
        created(await agentTypes.createRegistrationToken(principal, params.agent_type_id, body)),
    }),
  ];
}

export function agentRoutes(agents: Agents): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/v1/agents",
      access: "person",
      summary: "List connected agents",
      query: Page,
      answers: { 200: { description: "a page", schema: AgentList } },
      handle: async ({ principal, query }) => json(200, await agents.list(principal, query)),
    }),
    route({
      method: "DELETE",
      path: "/api/v1/agents/:agent_id",
      access: "person",
      summary: "Disconnect an agent: its token is dead, and the job that it has fails",
      answers: { 204: { description: "disconnected", schema: null } },
      async handle({ principal, params }) {
        await agents.disconnect(principal, params.agent_id);
        return empty(204);
      },
    }),
  ];
}
