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
} from "../../protocol/access-keys.ts";
import { Timestamp } from "../../protocol/ids.ts";
import { Page } from "../../protocol/list.ts";
import { Name } from "../../protocol/names.ts";
import { readRevision } from "../http/if-match.ts";
import { created, empty, json } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import type { EpochMs } from "../lib/time.ts";
import type { AccessKeys } from "./access-keys.ts";

export function accessKeyRoutes(keys: AccessKeys): Route[] {
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
      summary: "List a project's access keys, never their secrets",
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
      summary: "Delete an access key that no unfinished job names; with force=true, one that some do",
      query: z.object({ force: z.enum(["true", "false"]).default("false") }),
      answers: {
        204: { description: "deleted", schema: null },
        200: { description: "deleted by force, and what that breaks", schema: AccessKeyDeletion },
      },
      async handle({ principal, params, query }) {
        const force = query.force === "true";
        const deletion = await keys.remove(principal, params.project_id, params.key_id, force);
        return force ? json(200, deletion) : empty(204);
      },
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
    ...moreOfKeys(keys),
  ];
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
      query: Page.extend({ since: Timestamp.default("1970-01-01T00:00:00.000Z") }),
      answers: { 200: { description: "a page", schema: KeyHandOverList } },
      handle: async ({ principal, params, query }) => {
        const since = Date.parse(query.since) as EpochMs;
        return json(200, await keys.handOvers(principal, params.project_id, params.key_id, since, query));
      },
    }),
  ];
}
