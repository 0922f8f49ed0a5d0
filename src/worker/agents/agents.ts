/** Agents as people see them: who is connected, and away with one that should not be. */
import type { Agent } from "../../protocol/agent-types.ts";
import type { Listed, Page } from "../../protocol/list.ts";
import type { Person } from "../../protocol/principal.ts";
import { requireMay } from "../accounts/permissions.ts";
import { notFound } from "../lib/fault.ts";
import { paged } from "../lib/paging.ts";
import type { AgentTypes } from "./agent-types.ts";
import { findTypeOfAgent, listAgents } from "./agents-store.ts";
import { type DeparturePorts, endAgent } from "./departure.ts";

export interface AgentsPorts extends DeparturePorts {
  readonly agentTypes: Pick<AgentTypes, "requireInAll">;
}

export interface Agents {
  /** Connected ones, of types that serve projects the person may see. */
  list(person: Person, page: Page): Promise<Listed<Agent>>;
  /** Ends an agent; the job that it has fails. */
  disconnect(person: Person, id: string): Promise<void>;
}

export function createAgents(ports: AgentsPorts): Agents {
  const { db, agentTypes } = ports;
  return {
    list(person, page) {
      requireMay(person, "agent.read", person.projectId);
      return paged(page, (afterId, limit) => listAgents(db, person.projectId, afterId, limit));
    },
    async disconnect(person, id) {
      const agentTypeId = await findTypeOfAgent(db, id);
      if (agentTypeId === null) throw notFound();
      await agentTypes.requireInAll(person, "agent.disconnect", agentTypeId);
      await endAgent(ports, { id, by: person, reason: `${person.name} disconnected its agent` });
    },
  };
}
