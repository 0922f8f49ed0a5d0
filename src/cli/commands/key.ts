/** `signalbox key`: access keys. Secret material comes from files or standard input, never from the command line. */
import { type Command, Option } from "commander";
import { all } from "../../client/client.ts";
import { type AccessKey, AccessKeyType } from "../../protocol/access-keys.ts";
import { type Cli, connect } from "../context.ts";
import {
  addMaterialOptions,
  addPolicyOptions,
  type Material,
  type Policy,
  policyOf,
  secretOf,
} from "../key-options.ts";
import { findProject } from "../resolve.ts";
import { addKeyLifeCommands } from "./key-life.ts";

export function addKeyCommands(program: Command, cli: Cli): void {
  const key = program.command("key").description("access keys: sealed, and handed only to jobs that fit their policy");
  addCreate(key, cli);
  addGenerate(key, cli);
  key
    .command("list")
    .description("a project's keys, never their secrets")
    .requiredOption("--project <project>", "name or id")
    .action(async (options: { project: string }) => {
      const { client } = await connect(cli);
      const project = await findProject(client, options.project);
      const keys = await all((query) => client.keys.list(project.id, query));
      if (cli.globals().json) return cli.output.json(keys);
      const rows = keys.map((found) => [
        found.name,
        found.type,
        refsOf(found),
        found.last_used_at ?? "never",
        found.fingerprint ?? "",
        found.comment ?? "",
        found.id,
      ]);
      cli.output.table(["NAME", "TYPE", "REFS", "LAST USED", "FINGERPRINT", "COMMENT", "ID"], rows);
    });
  addKeyLifeCommands(key, cli);
}

function addCreate(key: Command, cli: Cli): void {
  const command = key
    .command("create")
    .description("seal a key")
    .argument("<name>")
    .requiredOption("--project <project>", "name or id")
    .addOption(new Option("--type <type>", "what it is").choices(AccessKeyType.options).makeOptionMandatory())
    .action(async (name: string, options: Material & { type: AccessKeyType } & Policy & { project: string }) => {
      const secret = await secretOf(cli, options.type, options);
      const { client } = await connect(cli);
      const project = await findProject(client, options.project);
      const made = await client.keys.create(project.id, { name, secret, policy: policyOf(options) });
      if (cli.globals().json) cli.output.json(made);
      else cli.output.line(`sealed key ${made.name} (${made.type}) ${made.id}`);
    });
  addPolicyOptions(addMaterialOptions(command));
}

function addGenerate(key: Command, cli: Cli): void {
  const command = key
    .command("generate")
    .description("make an Ed25519 key: prints its public half; its private half goes to jobs alone")
    .argument("<name>")
    .requiredOption("--project <project>", "name or id")
    .option("--login <login>", "the login, which is not secret")
    .action(async (name: string, options: Policy & { project: string; login?: string }) => {
      const { client } = await connect(cli);
      const project = await findProject(client, options.project);
      const body = { name, login: options.login ?? "", policy: policyOf(options) };
      const made = await client.keys.generate(project.id, body);
      if (cli.globals().json) cli.output.json(made);
      else cli.output.line(`${made.public_key} ${made.name}`);
    });
  addPolicyOptions(command);
}

function refsOf(key: AccessKey): string {
  return key.policy.refs === "protected" ? "protected" : key.policy.refs.join(" ");
}
