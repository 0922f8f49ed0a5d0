import * as z from "zod";
import {
  ApiTokenCreate,
  ApiTokenCreated,
  ApiTokenList,
  Bootstrapped,
  BootstrapRequest,
  OrganizationPatch,
  OrganizationShown,
  ProjectPage,
  WhoAmI,
} from "../../protocol/accounts.ts";
import { AddressProofJudged, AddressProofOpened } from "../../protocol/address-proofs.ts";
import { Id } from "../../protocol/ids.ts";
import { inQuery, Page } from "../../protocol/list.ts";
import { NetworksPatch, NetworksShown } from "../../protocol/networks.ts";
import { AuditRecord, listAudit } from "../audit/audit-store.ts";
import { readRevision } from "../http/if-match.ts";
import { created, empty, json } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import type { Accounts } from "./accounts.ts";
import type { AddressProofs } from "./address-proofs.ts";
import type { NetworkGate } from "./network-gate.ts";
import type { NetworkSettings } from "./network-settings.ts";
import { requireMay } from "./permissions.ts";

export function accountRoutes(accounts: Accounts): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/bootstrap",
      access: "public",
      summary: "Let the bearer of BOOTSTRAP_TOKEN in as owner, once for each value of it",
      body: BootstrapRequest,
      answers: { 201: { description: "the owner's token, shown once", schema: Bootstrapped } },
      handle: async ({ body }) => json(201, await accounts.bootstrap(body)),
    }),
    route({
      method: "GET",
      path: "/api/v1/whoami",
      access: "person",
      summary: "Show who the presented token is",
      answers: { 200: { description: "you", schema: WhoAmI } },
      async handle({ principal }) {
        const { id, name, role, projectId } = principal;
        const organization = await accounts.organization();
        return json(200, {
          organization: { id: organization.id, name: organization.name },
          token: { id, name, role, project_id: projectId },
        });
      },
    }),
    route({
      method: "POST",
      path: "/api/v1/tokens",
      access: "person",
      summary: "Make an API token; it is shown once",
      body: ApiTokenCreate,
      answers: {
        201: { description: "made; `token` is shown this once", schema: ApiTokenCreated },
        200: { description: "made before", schema: ApiTokenCreated },
      },
      handle: async ({ principal, body }) => created(await accounts.createToken(principal, body)),
    }),
    route({
      method: "GET",
      path: "/api/v1/tokens",
      access: "person",
      summary: "List API tokens, never the tokens themselves",
      query: ProjectPage,
      answers: { 200: { description: "a page", schema: ApiTokenList } },
      handle: async ({ principal, query }) =>
        json(200, await accounts.listTokens(principal, query.project_id ?? null, query)),
    }),
    route({
      method: "DELETE",
      path: "/api/v1/tokens/:token_id",
      access: "person",
      summary: "Revoke an API token, one's own or as owner; made=true revokes what was made with it too",
      query: z.object({ made: z.enum(["true", "false"]).default("false") }),
      answers: { 204: { description: "revoked", schema: null } },
      async handle({ principal, params, query }) {
        await accounts.revokeToken(principal, params.token_id, query.made === "true");
        return empty(204);
      },
    }),
  ];
}

export function organizationRoutes(accounts: Accounts): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/v1/organization",
      access: "person",
      summary: "Show the organization and its settings",
      answers: { 200: { description: "the organization", schema: OrganizationShown } },
      handle: async () => json(200, await accounts.organization()),
    }),
    route({
      method: "PATCH",
      path: "/api/v1/organization",
      access: "person",
      summary: "Change the organization's settings; what is not named stays",
      body: OrganizationPatch.refine(
        (patch) => Object.keys(patch).length > 0,
        "must change something",
      ) as z.ZodType<OrganizationPatch>,
      answers: { 200: { description: "the organization as it is now", schema: OrganizationShown } },
      handle: async ({ principal, body }) => json(200, await accounts.changeOrganization(principal, body)),
    }),
  ];
}

export function networkRoutes(settings: NetworkSettings, gate: NetworkGate): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/v1/networks",
      access: "person",
      summary: "Show from which networks people, agents and viewers may come",
      answers: { 200: { description: "the lists; null is from anywhere", schema: NetworksShown } },
      handle: async ({ principal }) => json(200, await settings.show(principal)),
    }),
    route({
      method: "PATCH",
      path: "/api/v1/networks",
      access: "person",
      summary: "Change the allowed networks; If-Match takes the revision that you read",
      body: NetworksPatch.refine(
        ({ force: _, ...named }) => Object.keys(named).length > 0,
        "must change something",
      ) as z.ZodType<NetworksPatch>,
      answers: {
        200: { description: "the lists as they are now; everywhere within 30 seconds", schema: NetworksShown },
      },
      async handle({ principal, body: patch, request }) {
        const change = { patch, address: gate.addressOf(request), revision: readRevision(request) };
        return json(200, await settings.change(principal, change));
      },
    }),
  ];
}

export function addressProofRoutes(proofs: AddressProofs): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/networks/proofs",
      access: "person",
      summary: "Begin a proof, under TRUST_PROXY, that no forged address comes through the proxy in front",
      answers: {
        201: {
          description: "send each trial through the proxy; all of it is shown this once",
          schema: AddressProofOpened,
        },
      },
      handle: async ({ principal }) => json(201, await proofs.open(principal)),
    }),
    route({
      method: "POST",
      path: "/api/v1/networks/proofs/:proof_id/judgement",
      access: "person",
      summary: "Judge a proof, once, by where its trials were seen to come from",
      answers: { 200: { description: "while it holds, allowed networks are taken", schema: AddressProofJudged } },
      handle: async ({ principal, params }) => json(200, await proofs.judge(principal, params.proof_id)),
    }),
  ];
}

const AuditQuery = z.object({
  before: inQuery(z.coerce.number().int().min(1).optional()),
  job_id: Id.optional(),
  key_id: Id.optional(),
  limit: Page.shape.limit,
});

export function auditRoutes(db: D1Database): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/v1/audit",
      access: "person",
      summary: "Read the audit record, newest first",
      query: AuditQuery,
      answers: {
        200: {
          description: "a page; `next` goes into `before`",
          schema: z.object({ items: z.array(AuditRecord), next: z.int().nullable() }),
        },
      },
      async handle({ principal, query }) {
        requireMay(principal, "audit.read", null);
        const beforeSeq = query.before ?? Number.MAX_SAFE_INTEGER;
        const { limit, job_id: jobId = null, key_id: keyId = null } = query;
        const items = await listAudit(db, { beforeSeq, jobId, keyId, limit });
        return json(200, { items, next: items.length === limit ? (items.at(-1)?.seq ?? null) : null });
      },
    }),
  ];
}
