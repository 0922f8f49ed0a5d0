/** `signalbox organization`: the one there is, and its settings. */
import { type Command, Option } from "commander";
import { OrganizationSettings, type OrganizationShown } from "../../protocol/accounts.ts";
import { type Cli, connect } from "../context.ts";
import { UsageError } from "../exit.ts";

interface Settings {
  pullRequestWord?: OrganizationSettings["pull_request_word"];
}

const words = OrganizationSettings.shape.pull_request_word.unwrap().options;

export function addOrganizationCommands(program: Command, cli: Cli): void {
  const group = program.command("organization").description("the organization and its settings");
  group
    .command("show")
    .description("its name, id and settings")
    .action(async () => {
      const { client } = await connect(cli);
      show(cli, await client.organization.show());
    });
  group
    .command("set")
    .description("change settings; what is not named stays")
    .addOption(
      new Option("--pull-request-word <word>", "what subjects of identity tokens call a pull request").choices(words),
    )
    .action(async ({ pullRequestWord }: Settings) => {
      if (pullRequestWord === undefined) throw new UsageError("name at least one setting to change");
      const { client } = await connect(cli);
      show(cli, await client.organization.change({ pull_request_word: pullRequestWord }));
    });
}

function show(cli: Cli, organization: OrganizationShown): void {
  if (cli.globals().json) {
    cli.output.json(organization);
    return;
  }
  const { name, id, settings } = organization;
  cli.output.table(
    [],
    [
      ["name", name],
      ["id", id],
      ["pull requests in subjects", settings.pull_request_word],
    ],
  );
}
