/** Who may use, change and share access keys: a project's, then the organization's. */
import { addKey } from "../../support/api.ts";
import { type Case, fresh, noSecret, plain, unique } from "../../support/permissions.ts";

export const accessKeyCases: Case[] = [
  plain(
    "POST /api/v1/projects/:project_id/keys",
    "key.create",
    "here",
    201,
    ({ project }) => project("/keys"),
    () => ({
      name: unique(),
      secret: { type: "none" },
    }),
  ),
  plain(
    "POST /api/v1/projects/:project_id/keys/generate",
    "key.create",
    "here",
    201,
    ({ project }) => project("/keys/generate"),
    () => ({ name: unique() }),
  ),
  plain("GET /api/v1/projects/:project_id/keys", "key.read", "here", 200, ({ project }) => project("/keys")),
  plain("GET /api/v1/projects/:project_id/keys/:key_id", "key.read", "here", 200, ({ keyId, project }) =>
    project(`/keys/${keyId}`),
  ),
  plain(
    "PATCH /api/v1/projects/:project_id/keys/:key_id",
    "key.change",
    "here",
    200,
    ({ keyId, project }) => project(`/keys/${keyId}`),
    () => ({ policy: {} }),
  ),
  plain(
    "POST /api/v1/projects/:project_id/keys/:key_id/decision",
    "key.read",
    "here",
    200,
    ({ keyId, project }) => project(`/keys/${keyId}/decision`),
    () => ({ ref: "refs/heads/main", agent_type: "any" }),
  ),
  plain("GET /api/v1/projects/:project_id/keys/:key_id/hand-overs", "key.read", "here", 200, ({ keyId, project }) =>
    project(`/keys/${keyId}/hand-overs`),
  ),
  fresh(
    { route: "DELETE /api/v1/projects/:project_id/keys/:key_id", action: "key.delete", scope: "here", success: 204 },
    async ({ world, project }) => project(`/keys/${await addKey(world, unique(), { type: "none" })}`),
  ),
  plain("POST /api/v1/keys", "key.create", "organization", 201, () => "/api/v1/keys", noSecret),
  plain(
    "POST /api/v1/keys/generate",
    "key.create",
    "organization",
    201,
    () => "/api/v1/keys/generate",
    () => ({ name: unique() }),
  ),
  plain(
    "POST /api/v1/keys/sightings",
    "key.mark_seen",
    "organization",
    200,
    () => "/api/v1/keys/sightings",
    () => ({ sightings: [{ key_id: crypto.randomUUID(), secret_version: 1 }] }),
  ),
  plain("GET /api/v1/keys", "key.read", "organization", 200, () => "/api/v1/keys"),
  plain("GET /api/v1/keys/:key_id", "key.read", "organization", 200, ({ organizationKey }) => organizationKey()),
  plain(
    "PATCH /api/v1/keys/:key_id",
    "key.change",
    "organization",
    200,
    ({ organizationKey }) => organizationKey(),
    () => ({ policy: { forks: true } }),
  ),
  plain("GET /api/v1/keys/:key_id/hand-overs", "key.read", "organization", 200, ({ organizationKey }) =>
    organizationKey("/hand-overs"),
  ),
  plain("GET /api/v1/keys/:key_id/shares", "key.read", "organization", 200, ({ organizationKey }) =>
    organizationKey("/shares"),
  ),
  {
    route: "POST /api/v1/keys/:key_id/shares",
    action: "key.share",
    scope: "organization",
    success: 201,
    ask: async ({ world, made }, { token }) => {
      const { id } = await made("/api/v1/keys", noSecret());
      return world.as(token, "POST", `/api/v1/keys/${id}/shares`, { project_id: world.projectId });
    },
  },
  fresh(
    {
      route: "DELETE /api/v1/keys/:key_id/shares/:project_id",
      action: "key.share",
      scope: "organization",
      success: 200,
    },
    async ({ world, made }) => {
      const { id } = await made("/api/v1/keys", noSecret());
      await made(`/api/v1/keys/${id}/shares`, { project_id: world.projectId });
      return `/api/v1/keys/${id}/shares/${world.projectId}`;
    },
  ),
  fresh(
    { route: "DELETE /api/v1/keys/:key_id", action: "key.delete", scope: "organization", success: 204 },
    async ({ made }) => `/api/v1/keys/${(await made("/api/v1/keys", noSecret())).id}`,
  ),
];
