import * as z from "zod";
import {
  AccessKey,
  AccessKeyCreate,
  AccessKeyDeletion,
  AccessKeyGenerate,
  AccessKeyList,
  AccessKeyPatch,
  KeyDecision,
  KeyDecisionRequest,
  KeyHandOverList,
  KeyShare,
  KeyShareCreate,
  KeyShareList,
  KeySightings,
  KeySightingsMarked,
  KeyUnsharing,
} from "../../protocol/access-keys.ts";
import { AskedTime } from "../../protocol/ids.ts";
import { Page } from "../../protocol/list.ts";
import { Name } from "../../protocol/names.ts";
import type { Person } from "../../protocol/principal.ts";
import { readRevision } from "../http/if-match.ts";
import { created, empty, json } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import type { EpochMs } from "../lib/time.ts";
import type { AccessKeys } from "./access-keys.ts";
import type { KeyScope } from "./access-keys-store.ts";
import type { KeySharing } from "./key-sharing.ts";
import type { KeySightings as Sightings } from "./key-sightings.ts";

export function accessKeyRoutes(keys: AccessKeys): Route[] {
  return [...projectKeyRoutes(keys), ...moreOfKeys(keys)];
}

function projectKeyRoutes(keys: AccessKeys): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/projects/:project_id/keys",
      access: "person",
      summary: "Store an access key; its secret is sealed and never shown again",
      body: AccessKeyCreate,
      answers: {
        201: { description: "stored", schema: AccessKey },
        200: { description: "stored before", schema: AccessKey },
      },
      handle: async ({ principal, params, body }) => created(await keys.create(principal, params.project_id, body)),
    }),
    route({
      method: "GET",
      path: "/api/v1/projects/:project_id/keys",
      access: "person",
      summary: "List the access keys that a project has or shares, never their secrets",
      query: Page.extend({ name: Name.optional() }),
      answers: { 200: { description: "a page", schema: AccessKeyList } },
      handle: async ({ principal, params, query }) =>
        json(200, await keys.list(principal, params.project_id, query.name ?? null, query)),
    }),
    route({
      method: "GET",
      path: "/api/v1/projects/:project_id/keys/:key_id",
      access: "person",
      summary: "Show an access key, never its secret",
      answers: { 200: { description: "the key", schema: AccessKey } },
      handle: async ({ principal, params }) => json(200, await keys.show(principal, params.project_id, params.key_id)),
    }),
    route({
      method: "DELETE",
      path: "/api/v1/projects/:project_id/keys/:key_id",
      access: "person",
      summary:
        "Delete an access key that nothing refers to; with force=true, one that is shared or in use; If-Match as for a change",
      query: Force,
      answers: deletionAnswers,
      handle: ({ principal, params, query, request }) =>
        remove(keys, principal, params.project_id, params.key_id, { ...query, revision: readRevision(request) }),
    }),
    route({
      method: "PATCH",
      path: "/api/v1/projects/:project_id/keys/:key_id",
      access: "person",
      summary:
        "Rename an access key, change its policy, or replace its secret; If-Match takes the revision that you read",
      body: AccessKeyPatch,
      answers: { 200: { description: "the key as it is now", schema: AccessKey } },
      handle: async ({ principal, params, body, request }) =>
        json(200, await keys.change(principal, params.project_id, params.key_id, body, readRevision(request))),
    }),
  ];
}

/** How a deletion is asked for and answered, wherever the key belongs. */
const Force = z.object({ force: z.enum(["true", "false"]).default("false") });

const deletionAnswers = {
  204: { description: "deleted", schema: null },
  200: { description: "deleted by force, and what that breaks", schema: AccessKeyDeletion },
};

async function remove(
  keys: AccessKeys,
  person: Person,
  scope: KeyScope,
  id: string,
  how: z.infer<typeof Force> & { revision: number | null },
): Promise<Response> {
  const force = how.force === "true";
  const deletion = await keys.remove(person, scope, id, { force, revision: how.revision });
  return force ? json(200, deletion) : empty(204);
}

/** Making a key here, whether one would open, and where it went. */
function moreOfKeys(keys: AccessKeys): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/projects/:project_id/keys/generate",
      access: "person",
      summary: "Make an Ed25519 key: its public half is shown, its private half goes to jobs alone",
      body: AccessKeyGenerate,
      answers: {
        201: { description: "made", schema: AccessKey },
        200: { description: "made before", schema: AccessKey },
      },
      handle: async ({ principal, params, body }) => created(await keys.generate(principal, params.project_id, body)),
    }),
    route({
      method: "POST",
      path: "/api/v1/projects/:project_id/keys/:key_id/decision",
      access: "person",
      summary: "Say whether an access key would open for a job on this ref, and why",
      body: KeyDecisionRequest,
      answers: { 200: { description: "the decision, in words", schema: KeyDecision } },
      handle: async ({ principal, params, body }) =>
        json(200, await keys.judge(principal, params.project_id, params.key_id, body)),
    }),
    route({
      method: "GET",
      path: "/api/v1/projects/:project_id/keys/:key_id/hand-overs",
      access: "person",
      summary: "List every job that was handed an access key since a time, even of one that is deleted",
      query: Page.extend({ since: AskedTime.default("1970-01-01T00:00:00Z") }),
      answers: { 200: { description: "a page", schema: KeyHandOverList } },
      handle: async ({ principal, params, query }) => {
        const since = Date.parse(query.since) as EpochMs;
        return json(200, await keys.handOvers(principal, params.project_id, params.key_id, since, query));
      },
    }),
  ];
}

/** The organization's keys, and the projects that they are shared with. */
export function organizationKeyRoutes(keys: AccessKeys, sharing: KeySharing): Route[] {
  return [...keyRoutes(keys), ...lifeRoutes(keys), ...shareRoutes(sharing)];
}

function keyRoutes(keys: AccessKeys): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/keys",
      access: "person",
      summary: "Store an access key of the organization; no project has it until it is shared",
      body: AccessKeyCreate,
      answers: {
        201: { description: "stored", schema: AccessKey },
        200: { description: "stored before", schema: AccessKey },
      },
      handle: async ({ principal, body }) => created(await keys.create(principal, null, body)),
    }),
    route({
      method: "POST",
      path: "/api/v1/keys/generate",
      access: "person",
      summary: "Make an Ed25519 key of the organization: its public half is shown, its private half goes to jobs alone",
      body: AccessKeyGenerate,
      answers: {
        201: { description: "made", schema: AccessKey },
        200: { description: "made before", schema: AccessKey },
      },
      handle: async ({ principal, body }) => created(await keys.generate(principal, null, body)),
    }),
    route({
      method: "GET",
      path: "/api/v1/keys",
      access: "person",
      summary: "List the organization's access keys, never their secrets",
      query: Page.extend({ name: Name.optional() }),
      answers: { 200: { description: "a page", schema: AccessKeyList } },
      handle: async ({ principal, query }) => json(200, await keys.list(principal, null, query.name ?? null, query)),
    }),
    route({
      method: "GET",
      path: "/api/v1/keys/:key_id",
      access: "person",
      summary: "Show an access key of the organization, never its secret",
      answers: { 200: { description: "the key", schema: AccessKey } },
      handle: async ({ principal, params }) => json(200, await keys.show(principal, null, params.key_id)),
    }),
  ];
}

function lifeRoutes(keys: AccessKeys): Route[] {
  return [
    route({
      method: "PATCH",
      path: "/api/v1/keys/:key_id",
      access: "person",
      summary: "Rename a key of the organization, change its policy, or replace its secret, in every project at once",
      body: AccessKeyPatch,
      answers: { 200: { description: "the key as it is now", schema: AccessKey } },
      handle: async ({ principal, params, body, request }) =>
        json(200, await keys.change(principal, null, params.key_id, body, readRevision(request))),
    }),
    route({
      method: "DELETE",
      path: "/api/v1/keys/:key_id",
      access: "person",
      summary: "Delete a key of the organization that nothing refers to; with force=true, one that is shared or in use",
      query: Force,
      answers: deletionAnswers,
      handle: ({ principal, params, query, request }) =>
        remove(keys, principal, null, params.key_id, { ...query, revision: readRevision(request) }),
    }),
    route({
      method: "GET",
      path: "/api/v1/keys/:key_id/hand-overs",
      access: "person",
      summary: "List every job of every project that was handed a key of the organization since a time",
      query: Page.extend({ since: AskedTime.default("1970-01-01T00:00:00Z") }),
      answers: { 200: { description: "a page", schema: KeyHandOverList } },
      handle: async ({ principal, params, query }) => {
        const since = Date.parse(query.since) as EpochMs;
        return json(200, await keys.handOvers(principal, null, params.key_id, since, query));
      },
    }),
  ];
}

export function keySightingRoutes(sightings: Sightings): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/keys/sightings",
      access: "person",
      summary: "Say that you have seen these secrets outside of any job: lists ask for each to be replaced until it is",
      body: KeySightings,
      answers: { 200: { description: "what became of each", schema: KeySightingsMarked } },
      handle: async ({ principal, body }) => json(200, await sightings.mark(principal, body)),
    }),
  ];
}

function shareRoutes(sharing: KeySharing): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/v1/keys/:key_id/shares",
      access: "person",
      summary: "List the projects that a key of the organization is shared with",
      query: Page,
      answers: { 200: { description: "a page", schema: KeyShareList } },
      handle: async ({ principal, params, query }) => json(200, await sharing.list(principal, params.key_id, query)),
    }),
    route({
      method: "POST",
      path: "/api/v1/keys/:key_id/shares",
      access: "person",
      summary: "Share a key of the organization with a project, in which it then behaves as the project's own",
      body: KeyShareCreate,
      answers: {
        201: { description: "shared", schema: KeyShare },
        200: { description: "shared before", schema: KeyShare },
      },
      handle: async ({ principal, params, body }) =>
        created(await sharing.share(principal, params.key_id, body.project_id)),
    }),
    route({
      method: "DELETE",
      path: "/api/v1/keys/:key_id/shares/:project_id",
      access: "person",
      summary:
        "Take a key of the organization from a project at once, whatever refers to it, and tell what that breaks",
      answers: { 200: { description: "taken, and what that breaks", schema: KeyUnsharing } },
      handle: async ({ principal, params }) =>
        json(200, await sharing.unshare(principal, params.key_id, params.project_id)),
    }),
  ];
}
