/** Where a key of the command line belongs: `--project`, or `--organization`. */
import type { Command } from "commander";
import type { Client } from "../client/client.ts";
import { UsageError } from "./exit.ts";
import { findProject } from "./resolve.ts";

export interface KeyScopeOptions {
  project?: string;
  organization?: boolean;
}

export function addKeyScopeOptions(command: Command): Command {
  return command
    .option("--project <project>", "name or id of the project that has or shares it")
    .option("--organization", "it is the organization's own");
}

/** A project's id, or null for the organization. */
export async function keyScope(client: Client, { project, organization }: KeyScopeOptions): Promise<string | null> {
  if ((project === undefined) === (organization === undefined)) throw new UsageError("say --project or --organization");
  return project === undefined ? null : (await findProject(client, project)).id;
}
