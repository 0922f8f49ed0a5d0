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
import { addKeyScopeOptions, type KeyScopeOptions, keyScope } from "../key-scope.ts";
import { addKeyLifeCommands } from "./key-life.ts";
import { addKeyShareCommands } from "./key-share.ts";

export function addKeyCommands(program: Command, cli: Cli): void {
  const key = program.command("key").description("access keys: sealed, and handed only to jobs that fit their policy");
  addCreate(key, cli);
  addGenerate(key, cli);
  addList(key, cli);
  addKeyLifeCommands(key, cli);
  addKeyShareCommands(key, cli);
}

function addList(key: Command, cli: Cli): void {
  const command = key
    .command("list")
    .description("the keys that a project has or shares, or the organization's; never their secrets")
    .action(async (options: KeyScopeOptions) => {
      const { client } = await connect(cli);
      const scope = await keyScope(client, options);
      const keys = await all((query) => client.keys.list(scope, query));
      if (cli.globals().json) return cli.output.json(keys);
      const rows = keys.map((found) => [
        found.name,
        found.type,
        found.project_id === null ? "organization" : "project",
        refsOf(found),
        found.last_used_at ?? "never",
        found.fingerprint ?? "",
        found.comment ?? "",
        found.id,
      ]);
      cli.output.table(["NAME", "TYPE", "OF", "REFS", "LAST USED", "FINGERPRINT", "COMMENT", "ID"], rows);
      for (const found of keys) if (found.seen_at !== null) cli.output.note(askToReplace(found));
    });
  addKeyScopeOptions(command);
}

function addCreate(key: Command, cli: Cli): void {
  const command = key
    .command("create")
    .description("seal a key")
    .argument("<name>")
    .addOption(new Option("--type <type>", "what it is").choices(AccessKeyType.options).makeOptionMandatory())
    .action(async (name: string, options: Material & { type: AccessKeyType } & Policy & KeyScopeOptions) => {
      const secret = await secretOf(cli, options.type, options);
      const { client } = await connect(cli);
      const made = await client.keys.create(await keyScope(client, options), {
        name,
        secret,
        policy: policyOf(options),
      });
      if (cli.globals().json) cli.output.json(made);
      else cli.output.line(`sealed key ${made.name} (${made.type}) ${made.id}`);
    });
  addPolicyOptions(addMaterialOptions(addKeyScopeOptions(command)));
}

function addGenerate(key: Command, cli: Cli): void {
  const command = key
    .command("generate")
    .description("make an Ed25519 key: prints its public half; its private half goes to jobs alone")
    .argument("<name>")
    .option("--login <login>", "the login, which is not secret")
    .action(async (name: string, options: Policy & KeyScopeOptions & { login?: string }) => {
      const { client } = await connect(cli);
      const body = { name, login: options.login ?? "", policy: policyOf(options) };
      const made = await client.keys.generate(await keyScope(client, options), body);
      if (cli.globals().json) cli.output.json(made);
      else cli.output.line(`${made.public_key} ${made.name}`);
    });
  addPolicyOptions(addKeyScopeOptions(command));
}

/** Nobody is to know a secret but the jobs that get it. */
function askToReplace({ name, seen_at, seen_by }: AccessKey): string {
  return `replace ${name}: ${seen_by} saw its secret at ${seen_at} (signalbox key change, with a new secret)`;
}

function refsOf(key: AccessKey): string {
  return key.policy.refs === "protected" ? "protected" : key.policy.refs.join(" ");
}
