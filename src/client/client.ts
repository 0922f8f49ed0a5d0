/**
 * The API as typed functions, one group per resource. Answers are checked by the protocol's schemas; creations
 * carry an id of the client's own, so that one whose answer was lost can be said again.
 */
import type * as z from "zod";
import {
  type ApiTokenCreate,
  ApiTokenCreated,
  ApiTokenList,
  Bootstrapped,
  type BootstrapRequest,
  type OrganizationPatch,
  OrganizationShown,
  SocketTicket,
  WhoAmI,
} from "../protocol/accounts.ts";
import {
  AgentList,
  AgentType,
  type AgentTypeCreate,
  AgentTypeList,
  type AgentTypePatch,
  RegistrationToken,
  type RegistrationTokenCreate,
} from "../protocol/agent-types.ts";
import { Health } from "../protocol/health.ts";
import { JobChangesPage, type JobChangesQuery } from "../protocol/job-changes.ts";
import { Job, JobList, type JobStart } from "../protocol/jobs.ts";
import type { Listed } from "../protocol/list.ts";
import { type NetworksPatch, NetworksShown } from "../protocol/networks.ts";
import { Project, type ProjectCreate, ProjectList, type ProjectPatch } from "../protocol/projects.ts";
import { SealingBatch, type SealingEscrowRecord, SealingStatus, type SealingSwitch } from "../protocol/sealing.ts";
import { CompromisedKeyReport, SigningSlots } from "../protocol/signing-keys.ts";
import {
  GeneratedTrust,
  type TrustExplainRequest,
  TrustExplanation,
  type TrustGenerateRequest,
} from "../protocol/trust.ts";
import { accessKeys } from "./access-keys.ts";
import { type Clock, systemClock } from "./clock.ts";
import { identity, identityProfiles } from "./identity.ts";
import { logs } from "./logs.ts";
import { create, type ListQuery, list, remove } from "./resource.ts";
import { createTransport, type Fetch, type Transport } from "./transport.ts";
import { uuidv7 } from "./uuid.ts";

export interface ClientOptions {
  /** The organization's URL. */
  baseUrl: string;
  /** An API token; none for what is public. */
  token?: string | undefined;
  /** Where the token came from, in words, for the message of a refusal. */
  tokenSource?: string | undefined;
  fetch?: Fetch;
  clock?: Clock;
  /** Ends every request that is under way. */
  signal?: AbortSignal | undefined;
  newId?: () => string;
}

export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  const transport = createTransport({
    baseUrl: options.baseUrl,
    token: options.token,
    tokenSource: options.tokenSource,
    fetch: options.fetch ?? fetch,
    clock: options.clock ?? systemClock,
    signal: options.signal,
  });
  const newId = options.newId ?? (() => uuidv7());
  return {
    health: () => transport.json(Health, { method: "GET", path: "/api/health" }),
    /** Never repeated by itself: the bootstrap token works once. */
    bootstrap: (body: z.input<typeof BootstrapRequest>) =>
      transport.json(Bootstrapped, { method: "POST", path: "/api/v1/bootstrap", body }),
    whoami: () => transport.json(WhoAmI, { method: "GET", path: "/api/v1/whoami" }),
    tokens: tokens(transport, newId),
    projects: projects(transport, newId),
    keys: accessKeys(transport, newId),
    identity: identity(transport),
    identityProfiles: identityProfiles(transport, newId),
    organization: organization(transport),
    signingKeys: signingKeys(transport),
    networks: networks(transport),
    sealing: sealing(transport),
    agentTypes: agentTypes(transport, newId),
    agents: {
      list: (query?: ListQuery) => list(transport, AgentList, "/api/v1/agents", query),
      disconnect: (id: string) => remove(transport, `/api/v1/agents/${id}`),
    },
    jobs: jobs(transport, newId),
    logs: logs(transport),
    trust: trust(transport),
  };
}

function organization(transport: Transport) {
  return {
    show: () => transport.json(OrganizationShown, { method: "GET", path: "/api/v1/organization" }),
    change: (body: z.input<typeof OrganizationPatch>) =>
      transport.json(OrganizationShown, { method: "PATCH", path: "/api/v1/organization", body }),
  };
}

function signingKeys(transport: Transport) {
  return {
    slots: () => transport.json(SigningSlots, { method: "GET", path: "/api/v1/signing-keys" }),
    /** Once the key is overwritten: tells which tokens died with it. */
    compromised: (kid: string) =>
      transport.json(CompromisedKeyReport, {
        method: "POST",
        path: "/api/v1/signing-keys/compromised",
        body: { kid },
        repeatable: true,
      }),
  };
}

function networks(transport: Transport) {
  return {
    show: () => transport.json(NetworksShown, { method: "GET", path: "/api/v1/networks" }),
    /** With `revision`, only if nobody changed them since. */
    change: (body: z.input<typeof NetworksPatch>, revision?: number) =>
      transport.json(NetworksShown, {
        method: "PATCH",
        path: "/api/v1/networks",
        body,
        ifMatch: revision?.toString(),
      }),
  };
}

function tokens(transport: Transport, newId: () => string) {
  const path = "/api/v1/tokens";
  return {
    create: (body: z.input<typeof ApiTokenCreate>) => create(transport, ApiTokenCreated, path, body, newId),
    list: (query?: ListQuery) => list(transport, ApiTokenList, path, query),
    /** With `made`, also every token made with it, and with those. */
    revoke: (id: string, made = false) => remove(transport, `${path}/${id}${made ? "?made=true" : ""}`),
    /** A single-use credential for one socket of a job's log (null: of the feed), where no headers can go with it. */
    socketTicket: (jobId: string | null) =>
      transport.json(SocketTicket, {
        method: "POST",
        path: "/api/v1/socket-tickets",
        body: jobId === null ? { purpose: "feed" } : { purpose: "job", job_id: jobId },
      }),
  };
}

function projects(transport: Transport, newId: () => string) {
  const path = "/api/v1/projects";
  return {
    create: (body: z.input<typeof ProjectCreate>) => create(transport, Project, path, body, newId),
    list: (query?: ListQuery) => list(transport, ProjectList, path, query),
    show: (id: string) => transport.json(Project, { method: "GET", path: `${path}/${id}` }),
    /** With `revision`, only if nobody changed it since. */
    change: (id: string, body: z.input<typeof ProjectPatch>, revision?: number) =>
      transport.json(Project, { method: "PATCH", path: `${path}/${id}`, body, ifMatch: revision?.toString() }),
  };
}

function agentTypes(transport: Transport, newId: () => string) {
  const path = "/api/v1/agent-types";
  return {
    create: (body: z.input<typeof AgentTypeCreate>) => create(transport, AgentType, path, body, newId),
    list: (query?: ListQuery) => list(transport, AgentTypeList, path, query),
    show: (id: string) => transport.json(AgentType, { method: "GET", path: `${path}/${id}` }),
    /** With `revision`, only if nobody changed it since. */
    change: (id: string, body: AgentTypePatch, revision?: number) =>
      transport.json(AgentType, { method: "PATCH", path: `${path}/${id}`, body, ifMatch: revision?.toString() }),
    createRegistrationToken: (id: string, body: z.input<typeof RegistrationTokenCreate>) =>
      create(transport, RegistrationToken, `${path}/${id}/registration-tokens`, body, newId),
  };
}

function jobs(transport: Transport, newId: () => string) {
  return {
    start: (projectId: string, body: z.input<typeof JobStart>) =>
      create(transport, Job, `/api/v1/projects/${projectId}/jobs`, body, newId),
    list: (projectId: string, query?: ListQuery) =>
      list(transport, JobList, `/api/v1/projects/${projectId}/jobs`, query),
    show: (id: string) => transport.json(Job, { method: "GET", path: `/api/v1/jobs/${id}` }),
    /** How states changed after a position, in all projects that one may read. */
    changes: (query: Partial<JobChangesQuery> = {}) =>
      transport.json(JobChangesPage, { method: "GET", path: "/api/v1/job-changes", query }),
    /** Stopping what is stopping changes nothing, so it may be said again. */
    stop: (id: string) => transport.json(Job, { method: "POST", path: `/api/v1/jobs/${id}/stop`, repeatable: true }),
  };
}

/** Questions alone: they change nothing, so they may be asked again. */
function trust(transport: Transport) {
  const ask = <Schema extends z.ZodType>(schema: Schema, path: string, body: unknown) =>
    transport.json(schema, { method: "POST", path: `/api/v1/trust/${path}`, body, repeatable: true });
  return {
    generate: (body: z.input<typeof TrustGenerateRequest>) => ask(GeneratedTrust, "generate", body),
    explain: (body: z.input<typeof TrustExplainRequest>) => ask(TrustExplanation, "explain", body),
  };
}

/** Every item of a list, page after page. */
export async function all<Item>(page: (query: ListQuery) => Promise<Listed<Item>>, query?: ListQuery): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const answer = await page({ ...query, cursor });
    items.push(...answer.items);
    cursor = answer.next ?? undefined;
  } while (cursor !== undefined);
  return items;
}

function sealing(transport: Transport) {
  const step = (name: string, after: string | null) =>
    transport.json(SealingBatch, {
      method: "POST",
      path: `/api/v1/sealing/${name}`,
      body: { after },
      repeatable: true,
    });
  return {
    status: () => transport.json(SealingStatus, { method: "GET", path: "/api/v1/sealing" }),
    /** Said again, it is the same copy. */
    escrow: (body: z.input<typeof SealingEscrowRecord>) =>
      transport.json(SealingStatus, { method: "POST", path: "/api/v1/sealing/escrows", body, repeatable: true }),
    /** Reserves the idle slot; the same key may be said again. */
    async begin(body: SealingSwitch): Promise<void> {
      await transport.text({ method: "POST", path: "/api/v1/sealing/begin", body, repeatable: true });
    },
    /** Said again, it changes nothing. */
    switchTo: (body: SealingSwitch) =>
      transport.json(SealingStatus, { method: "POST", path: "/api/v1/sealing/switch", body, repeatable: true }),
    reseal: (after: string | null) => step("reseal", after),
    verify: (after: string | null) => step("verify", after),
  };
}
