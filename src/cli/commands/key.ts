/** `signalbox key`: access keys. Secret material comes from files or standard input, never from the command line. */
import { type Command, Option } from "commander";
import type * as z from "zod";
import { all } from "../../client/client.ts";
import { type AccessKey, AccessKeyType, type KeyPolicy, type Secret } from "../../protocol/access-keys.ts";
import { RefProof, RefType } from "../../protocol/git-context.ts";
import { type Cli, connect, readSecret } from "../context.ts";
import { UsageError } from "../exit.ts";
import { collect } from "../options.ts";
import { findKey, findProject } from "../resolve.ts";

interface Material {
  type: AccessKeyType;
  privateKey?: string;
  passphraseFile?: string;
  login?: string;
  passwordFile?: string;
  valueFile?: string;
}

interface Policy {
  refs?: string[];
  refType?: RefType[];
  agentType?: string[];
  forks?: boolean;
  proof?: RefProof[];
}

export function addKeyCommands(program: Command, cli: Cli): void {
  const key = program.command("key").description("access keys: sealed, and handed only to jobs that fit their policy");
  addCreate(key, cli);
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
        found.id,
      ]);
      cli.output.table(["NAME", "TYPE", "REFS", "LAST USED", "ID"], rows);
    });
  key
    .command("delete")
    .description("delete a key, for ever")
    .argument("<key>", "name or id")
    .requiredOption("--project <project>", "name or id")
    .action(async (name: string, options: { project: string }) => {
      const { client } = await connect(cli);
      const project = await findProject(client, options.project);
      const found = await findKey(client, project.id, name);
      await client.keys.delete(project.id, found.id);
      if (cli.globals().json) cli.output.json({ deleted: found.id });
      else cli.output.line(`deleted key ${found.name}`);
    });
}

function addCreate(key: Command, cli: Cli): void {
  key
    .command("create")
    .description("seal a key")
    .argument("<name>")
    .requiredOption("--project <project>", "name or id")
    .addOption(new Option("--type <type>", "what it is").choices(AccessKeyType.options).makeOptionMandatory())
    .option("--private-key <file>", "ssh: the private key, PEM or OpenSSH; - for standard input")
    .option("--passphrase-file <file>", "ssh: the passphrase that opens it")
    .option("--login <login>", "ssh, login_password: the login, which is not secret")
    .option("--password-file <file>", "login_password: the password")
    .option("--value-file <file>", "string: the value; a last newline is not part of it")
    .option("--refs <pattern>", "refs that it opens for (default: the project's protected refs); repeatable", collect)
    .addOption(repeatedChoice("--ref-type <type>", "kinds of ref (default: all)", RefType.options))
    .option("--agent-type <name>", "agent types that may be handed it (default: all); repeatable", collect)
    .option("--forks", "open it for forks too")
    .addOption(repeatedChoice("--proof <proof>", "how the ref must be proven (default: any)", RefProof.options))
    .action(async (name: string, options: Material & Policy & { project: string }) => {
      const secret = await secretOf(cli, options);
      const { client } = await connect(cli);
      const project = await findProject(client, options.project);
      const made = await client.keys.create(project.id, { name, secret, policy: policyOf(options) });
      if (cli.globals().json) cli.output.json(made);
      else cli.output.line(`sealed key ${made.name} (${made.type}) ${made.id}`);
    });
}

function repeatedChoice(flags: string, description: string, choices: readonly string[]): Option {
  const option = new Option(flags, `${description}; repeatable`).choices(choices);
  const parse = option.parseArg;
  return option.argParser((value: string, before: string[] | undefined) => {
    parse?.(value, undefined);
    return collect(value, before);
  });
}

async function secretOf(cli: Cli, options: Material): Promise<z.input<typeof Secret>> {
  const needed = async (file: string | undefined, flag: string) => {
    if (file === undefined) throw new UsageError(`--type ${options.type} needs ${flag} FILE`);
    return await readSecret(cli, file);
  };
  const login = options.login ?? "";
  if (options.type === "ssh") {
    const passphrase = options.passphraseFile === undefined ? "" : await readSecret(cli, options.passphraseFile);
    return { type: "ssh", login, private_key: await needed(options.privateKey, "--private-key"), passphrase };
  }
  if (options.type === "login_password") {
    return { type: "login_password", login, password: await needed(options.passwordFile, "--password-file") };
  }
  if (options.type === "string") return { type: "string", value: await needed(options.valueFile, "--value-file") };
  return { type: "none" };
}

function policyOf(options: Policy): z.input<typeof KeyPolicy> {
  return {
    ...(options.refs ? { refs: options.refs } : {}),
    ...(options.refType ? { ref_types: options.refType } : {}),
    ...(options.agentType ? { agent_types: options.agentType } : {}),
    ...(options.forks ? { forks: true } : {}),
    ...(options.proof ? { proofs: options.proof } : {}),
  };
}

function refsOf(key: AccessKey): string {
  return key.policy.refs === "protected" ? "protected" : key.policy.refs.join(" ");
}
