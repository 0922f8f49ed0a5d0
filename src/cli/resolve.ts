/** What a person names on the command line, found on the server: by id, or by its exact name. */
import { all, type Client } from "../client/client.ts";
import type { AccessKey } from "../protocol/access-keys.ts";
import type { AgentType } from "../protocol/agent-types.ts";
import { Id } from "../protocol/ids.ts";
import type { Project } from "../protocol/projects.ts";
import { Failure } from "./exit.ts";

export async function findProject(client: Client, nameOrId: string): Promise<Project> {
  if (isId(nameOrId)) return await client.projects.show(nameOrId);
  const found = await projectNamed(client, nameOrId);
  return found ?? missing("project", nameOrId);
}

export async function findAgentType(client: Client, nameOrId: string): Promise<AgentType> {
  if (isId(nameOrId)) return await client.agentTypes.show(nameOrId);
  const found = await agentTypeNamed(client, nameOrId);
  return found ?? missing("agent type", nameOrId);
}

/** `scope`: a project's id, or null for the organization. */
export async function findKey(client: Client, scope: string | null, nameOrId: string): Promise<AccessKey> {
  if (isId(nameOrId)) return await client.keys.show(scope, nameOrId);
  const found = await keyNamed(client, scope, nameOrId);
  return found ?? missing("key", nameOrId);
}

export async function projectNamed(client: Client, name: string): Promise<Project | undefined> {
  return (await all(client.projects.list, { name })).find((project) => project.name === name);
}

export async function agentTypeNamed(client: Client, name: string): Promise<AgentType | undefined> {
  return (await all(client.agentTypes.list, { name })).find((type) => type.name === name);
}

export async function keyNamed(client: Client, scope: string | null, name: string): Promise<AccessKey | undefined> {
  const keys = await all((query) => client.keys.list(scope, query), { name });
  return keys.find((key) => key.name === name);
}

export function isId(text: string): boolean {
  return Id.safeParse(text).success;
}

function missing(what: string, name: string): never {
  throw new Failure(`there is no ${what} named ${name}, or it is not visible to you`);
}
