/** `signalbox key share|unshare|shares`: in which projects a key of the organization is there. */
import type { Command } from "commander";
import { all } from "../../client/client.ts";
import { type Cli, connect } from "../context.ts";
import { findKey, findProject } from "../resolve.ts";

export function addKeyShareCommands(key: Command, cli: Cli): void {
  onProject(key, "share", "share a key of the organization with a project, whose jobs may then name it").action(
    async (name: string, options: { project: string }) => {
      const { client, found, project } = await sharing(cli, name, options);
      const shared = await client.keys.share(found.id, project.id);
      if (cli.globals().json) cli.output.json(shared);
      else cli.output.line(`shared key ${found.name} with project ${project.name}`);
    },
  );
  onProject(key, "unshare", "take a key of the organization from a project, at once").action(
    async (name: string, options: { project: string }) => {
      const { client, found, project } = await sharing(cli, name, options);
      const taken = await client.keys.unshare(found.id, project.id);
      if (cli.globals().json) return cli.output.json(taken);
      cli.output.line(`took key ${found.name} from project ${project.name}`);
      for (const job of taken.broken_jobs) cli.output.line(`breaks ${job.state} job ${job.name} ${job.id}`);
    },
  );
  key
    .command("shares")
    .description("the projects that a key of the organization is shared with")
    .argument("<key>", "name or id")
    .action(async (name: string) => {
      const { client } = await connect(cli);
      const { id } = await findKey(client, null, name);
      const shares = await all((query) => client.keys.shares(id, query));
      if (cli.globals().json) return cli.output.json(shares);
      cli.output.table(
        ["PROJECT", "SHARED", "BY", "LAST USED"],
        shares.map((share) => [share.project_name, share.shared_at, share.shared_by, share.last_used_at ?? "never"]),
      );
    });
}

function onProject(key: Command, name: string, description: string): Command {
  return key
    .command(name)
    .description(description)
    .argument("<key>", "name or id")
    .requiredOption("--project <project>", "name or id");
}

async function sharing(cli: Cli, name: string, options: { project: string }) {
  const { client } = await connect(cli);
  const [found, project] = [await findKey(client, null, name), await findProject(client, options.project)];
  return { client, found, project };
}
