/** Who may manage tokens, the organization, its networks and its audit trail. */
import { randomUUID } from "node:crypto";
import { type Case, fresh, plain } from "../../support/permissions.ts";

export const accountCases: Case[] = [
  plain("GET /api/v1/whoami", "organization.read", "own", 200, () => "/api/v1/whoami"),
  plain(
    "POST /api/v1/tokens",
    "token.manage",
    "here",
    201,
    () => "/api/v1/tokens",
    ({ world }) => ({
      name: "x",
      role: "guest",
      project_id: world.projectId,
    }),
  ),
  plain(
    "POST /api/v1/tokens",
    "token.manage",
    "organization",
    201,
    () => "/api/v1/tokens",
    () => ({
      name: "x",
      role: "guest",
    }),
  ),
  plain("GET /api/v1/tokens", "token.manage", "own", 200, () => "/api/v1/tokens"),
  fresh(
    { route: "DELETE /api/v1/tokens/:token_id", action: "token.manage", scope: "here", success: 204, hidden: true },
    async ({ world, made }) =>
      `/api/v1/tokens/${(await made("/api/v1/tokens", { name: "x", role: "guest", project_id: world.projectId })).id}`,
  ),
  plain("GET /api/v1/organization", "organization.read", "own", 200, () => "/api/v1/organization"),
  plain(
    "PATCH /api/v1/organization",
    "organization.change",
    "organization",
    200,
    () => "/api/v1/organization",
    () => ({ pull_request_word: "pr" }),
  ),
  plain("GET /api/v1/networks", "networks.read", "organization", 200, () => "/api/v1/networks"),
  plain(
    "PATCH /api/v1/networks",
    "networks.change",
    "organization",
    200,
    () => "/api/v1/networks",
    () => ({ people: null }),
  ),
  // Under TRUST_PROXY alone is there something to show.
  plain("POST /api/v1/networks/proofs", "networks.change", "organization", 422, () => "/api/v1/networks/proofs"),
  plain(
    "POST /api/v1/networks/proofs/:proof_id/judgement",
    "networks.change",
    "organization",
    404,
    () => `/api/v1/networks/proofs/${randomUUID()}/judgement`,
  ),
  plain("GET /api/v1/audit", "audit.read", "organization", 200, () => "/api/v1/audit"),
];
