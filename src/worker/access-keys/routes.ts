import { AccessKey, AccessKeyCreate, AccessKeyList } from "../../protocol/access-keys.ts";
import { Page } from "../../protocol/list.ts";
import { Name } from "../../protocol/names.ts";
import { created, empty, json } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
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
      summary: "Delete an access key that no unfinished job names",
      answers: { 204: { description: "deleted", schema: null } },
      async handle({ principal, params }) {
        await keys.remove(principal, params.project_id, params.key_id);
        return empty(204);
      },
    }),
  ];
}
