import * as z from "zod";
import {
  DiscoveryDocument,
  Introspection,
  IntrospectionRequest,
  LedgerEntry,
  ProjectLedgerEntry,
  PublicJwks,
} from "../../protocol/identity.ts";
import { IdentityPreview, IdentityPreviewRequest } from "../../protocol/identity-preview.ts";
import {
  Audience,
  IdentityProfile,
  IdentityProfileCreate,
  IdentityProfileList,
  TokenAnswer,
  TokenRequest,
} from "../../protocol/identity-profiles.ts";
import { limits } from "../../protocol/limits.ts";
import { List, Page } from "../../protocol/list.ts";
import { Problem } from "../../protocol/problem.ts";
import { CompromisedKey, CompromisedKeyReport, publicCaching, SigningSlots } from "../../protocol/signing-keys.ts";
import type { NetworkGate } from "../accounts/network-gate.ts";
import { isKnown } from "../http/conditional.ts";
import { created, empty, json, jsonType, lastingHeaders } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import { Fault } from "../lib/fault.ts";
import type { JobIdentity } from "./job-identity.ts";
import type { Profiles } from "./profiles.ts";
import { createPublicDocuments, type PublicDocumentsPorts } from "./public-documents.ts";
import type { SigningKeyRotation } from "./signing-keys.ts";
import type { TokenRequests } from "./token-requests.ts";

/** Cached everywhere for five minutes, and for bounded times beyond while we are asked again or are down. */
const { maxAge, staleWhileRevalidate, staleIfError } = publicCaching;
const cacheControl = `public, max-age=${maxAge}, stale-while-revalidate=${staleWhileRevalidate}, stale-if-error=${staleIfError}`;

/** The public documents. They depend on ISSUER and the signing keys alone: no host, no query, no D1. */
export function publicKeyRoutes(ports: PublicDocumentsPorts): Route[] {
  const documents = createPublicDocuments(ports, cacheable);
  const cached = <Path extends string>(path: Path, summary: string, schema: z.ZodType, name: keyof typeof documents) =>
    route({
      method: "GET",
      path,
      access: "public",
      cached: true,
      summary,
      answers: { 200: { description: "the document", schema }, 304: { description: "as you have it", schema: null } },
      handle({ request }) {
        const document = documents[name]();
        return document instanceof Promise ? document.then((made) => made(request)) : document(request);
      },
    });
  return [
    cached("/.well-known/openid-configuration", "OpenID Connect discovery", DiscoveryDocument, "discovery"),
    cached("/.well-known/jwks.json", "The public signing keys", PublicJwks, "keySet"),
    cached("/.well-known/jwks", "The public signing keys, under their shorter name", PublicJwks, "keySet"),
    cached(
      "/.well-known/jwts",
      "The public signing keys, under the name in Semaphore's documentation",
      PublicJwks,
      "keySet",
    ),
  ];
}

/** How a document is answered, again and again: its headers are made here, once. */
function cacheable(text: string, etag: string): (request: Request) => Response {
  const open = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "etag",
    // Else what every page may read by CORS is kept from one that asks without it (Fetch, "CORP check").
    "cross-origin-resource-policy": "cross-origin",
  };
  const whole = { "cache-control": cacheControl, ...open, etag };
  const unchanged = { status: 304, headers: lastingHeaders(whole) };
  const found = { status: 200, headers: lastingHeaders({ ...whole, "content-type": jsonType }) };
  return (request) => (isKnown(request, etag) ? new Response(null, unchanged) : new Response(text, found));
}

export function identityRoutes(identity: JobIdentity): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/v1/jobs/:job_id/identity",
      access: "person",
      summary: "List every identity token minted for a job, never the tokens",
      answers: {
        200: { description: "every mint", schema: z.object({ items: z.array(LedgerEntry), next: z.null() }) },
      },
      handle: async ({ principal, params }) =>
        json(200, { items: await identity.ledger(principal, params.job_id), next: null }),
    }),
    route({
      method: "GET",
      path: "/api/v1/projects/:project_id/identity/ledger",
      access: "person",
      summary: "List every identity token minted in a project, newest first, never the tokens",
      query: Page.extend({ audience: Audience.optional() }),
      answers: { 200: { description: "a page", schema: List(ProjectLedgerEntry) } },
      handle: async ({ principal, params, query }) =>
        json(200, await identity.projectLedger(principal, params.project_id, query.audience ?? null, query)),
    }),
    route({
      method: "POST",
      path: "/api/v1/identity/introspect",
      access: "public",
      summary: "Say whether a presented identity token stands, and if not why: also when its job has ended",
      body: IntrospectionRequest,
      answers: { 200: { description: "whether it stands", schema: Introspection } },
      handle: async ({ body }) => json(200, await identity.introspect(body.token)),
    }),
    route({
      method: "POST",
      path: "/api/v1/projects/:project_id/identity/preview",
      access: "person",
      summary: "Show the token that a job on this ref would get, and whether its subject fits each cloud",
      body: IdentityPreviewRequest,
      answers: { 200: { description: "header, claims and subjects; nothing is minted", schema: IdentityPreview } },
      handle: async ({ principal, params, body }) =>
        json(200, await identity.preview(principal, params.project_id, body)),
    }),
  ];
}

/** What the owner asks before and after a rotation; the keys themselves go in as secrets, past this API. */
export function signingKeyRoutes(rotation: SigningKeyRotation): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/v1/signing-keys",
      access: "person",
      summary: "Show both signing slots: what each holds, since when it signs, when it may be overwritten",
      answers: { 200: { description: "both slots", schema: SigningSlots } },
      handle: async ({ principal }) => json(200, await rotation.slots(principal)),
    }),
    route({
      method: "POST",
      path: "/api/v1/signing-keys/compromised",
      access: "person",
      summary: "Once a compromised key is overwritten: list the tokens that died with it",
      body: CompromisedKey,
      answers: {
        200: { description: "what died", schema: CompromisedKeyReport },
        409: { description: "a slot still holds it", schema: Problem },
        422: { description: "neither a slot nor the ledger knows it", schema: Problem },
      },
      handle: async ({ principal, body }) => json(200, await rotation.compromised(principal, body.kid)),
    }),
  ];
}

/** GitHub's toolkit appends `&audience=` to the URL that its job was handed; whatever else stands there is ignored. */
const TokenQuery = z.object({ audience: Audience.optional() });

/** What a running job asks for itself, with the request token that it was handed. */
/** Asked from where an agent runs its jobs, so from where agents may come. */
export function tokenRequestRoutes(tokens: TokenRequests, networks: Pick<NetworkGate, "require">): Route[] {
  const before = async (asked: { request: Request; credential: string; params: { job_id: string } }) => {
    await tokens.admit(asked.credential, asked.params.job_id);
    await networks.require("agents", asked.request);
  };
  const answers = {
    200: { description: "the token", schema: TokenAnswer },
    403: { description: "no identity profile of the project allows it", schema: Problem },
    429: { description: `the job has had its ${limits.jobMints} tokens`, schema: Problem },
  };
  const path = "/api/v1/jobs/:job_id/identity/token";
  return [
    route({
      method: "GET",
      path,
      access: "bearer",
      summary: "Job: mint an identity token for an audience, as GitHub's toolkit asks for it",
      query: TokenQuery,
      answers,
      before,
      async handle({ request, credential, params, query }) {
        // It would mint a token that nobody receives.
        if (request.method === "HEAD") throw new Fault("method_not_allowed", "a token is answered to GET and POST");
        return json(200, await tokens.request(credential, params.job_id, query));
      },
    }),
    route({
      method: "POST",
      path,
      access: "bearer",
      summary: "Job: mint an identity token with a life, a form of subject, claims and AWS session tags of its own",
      body: TokenRequest,
      answers,
      before,
      handle: async ({ credential, params, body }) => json(200, await tokens.request(credential, params.job_id, body)),
    }),
  ];
}

export function identityProfileRoutes(profiles: Profiles): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/projects/:project_id/identity-profiles",
      access: "person",
      summary: "Let a project's jobs ask for tokens of an audience",
      body: IdentityProfileCreate,
      answers: {
        201: { description: "made", schema: IdentityProfile },
        200: { description: "made before", schema: IdentityProfile },
      },
      handle: async ({ principal, params, body }) => created(await profiles.create(principal, params.project_id, body)),
    }),
    route({
      method: "GET",
      path: "/api/v1/projects/:project_id/identity-profiles",
      access: "person",
      summary: "List a project's identity profiles",
      query: Page,
      answers: { 200: { description: "a page", schema: IdentityProfileList } },
      handle: async ({ principal, params, query }) =>
        json(200, await profiles.list(principal, params.project_id, query)),
    }),
    route({
      method: "DELETE",
      path: "/api/v1/projects/:project_id/identity-profiles/:profile_id",
      access: "person",
      summary: "Delete an identity profile; tokens that it let be minted live on until they expire",
      answers: { 204: { description: "deleted", schema: null } },
      async handle({ principal, params }) {
        await profiles.remove(principal, params.project_id, params.profile_id);
        return empty(204);
      },
    }),
  ];
}
