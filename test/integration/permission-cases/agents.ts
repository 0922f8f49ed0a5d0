/** Who may manage agent types and agents. */
import { type Case, fresh, plain, unique } from "../../support/permissions.ts";

export const agentCases: Case[] = [
  plain(
    "POST /api/v1/agent-types",
    "agent_type.create",
    "own",
    201,
    () => "/api/v1/agent-types",
    ({ world }) => ({
      name: unique(),
      policy: { project_ids: [world.projectId] },
    }),
  ),
  plain("GET /api/v1/agent-types", "agent_type.read", "own", 200, () => "/api/v1/agent-types"),
  plain(
    "GET /api/v1/agent-types/:agent_type_id",
    "agent_type.read",
    "here",
    200,
    ({ world }) => `/api/v1/agent-types/${world.agentTypeId}`,
  ),
  plain(
    "PATCH /api/v1/agent-types/:agent_type_id",
    "agent_type.change",
    "here",
    200,
    ({ world }) => `/api/v1/agent-types/${world.agentTypeId}`,
    () => ({ certificates: null }),
  ),
  plain(
    "POST /api/v1/agent-types/:agent_type_id/registration-tokens",
    "registration_token.create",
    "here",
    201,
    ({ world }) => `/api/v1/agent-types/${world.agentTypeId}/registration-tokens`,
    () => ({}),
  ),
  fresh(
    { route: "DELETE /api/v1/agents/:agent_id", action: "agent.disconnect", scope: "here", success: 204 },
    async ({ world }) => {
      const name = unique();
      await world.agent(name);
      return `/api/v1/agents/${await world.harness.db.prepare("SELECT id FROM agents WHERE name = ?").bind(name).first("id")}`;
    },
  ),
  plain("GET /api/v1/agents", "agent.read", "own", 200, () => "/api/v1/agents"),
];
