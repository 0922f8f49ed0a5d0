/** Options that give an access key its secret and its policy: those of `key create` and `key change`. */
import { type Command, Option } from "commander";
import type * as z from "zod";
import type { AccessKeyType, KeyPolicy, Secret } from "../protocol/access-keys.ts";
import { RefProof, RefType } from "../protocol/git-context.ts";
import { type Cli, readSecret } from "./context.ts";
import { UsageError } from "./exit.ts";
import { collect } from "./options.ts";

export interface Material {
  privateKey?: string;
  passphraseFile?: string;
  login?: string;
  passwordFile?: string;
  valueFile?: string;
}

export interface Policy {
  refs?: string[];
  refType?: RefType[];
  agentType?: string[];
  forks?: boolean;
  proof?: RefProof[];
}

export function addMaterialOptions(command: Command): Command {
  return command
    .option("--private-key <file>", "ssh: the private key, PEM or OpenSSH; - for standard input")
    .option("--passphrase-file <file>", "ssh: the passphrase that opens it")
    .option("--login <login>", "ssh, login_password: the login, which is not secret")
    .option("--password-file <file>", "login_password: the password")
    .option("--value-file <file>", "string: the value; a last newline is not part of it");
}

export function addPolicyOptions(command: Command): Command {
  return command
    .option("--refs <pattern>", "refs that it opens for (default: the project's protected refs); repeatable", collect)
    .addOption(repeatedChoice("--ref-type <type>", "kinds of ref (default: all)", RefType.options))
    .option("--agent-type <name>", "agent types that may be handed it (default: all); repeatable", collect)
    .option("--forks", "open it for forks too")
    .addOption(repeatedChoice("--proof <proof>", "how the ref must be proven (default: any)", RefProof.options));
}

function repeatedChoice(flags: string, description: string, choices: readonly string[]): Option {
  const option = new Option(flags, `${description}; repeatable`).choices(choices);
  const parse = option.parseArg;
  return option.argParser((value: string, before: string[] | undefined) => {
    parse?.(value, undefined);
    return collect(value, before);
  });
}

const flags = {
  privateKey: "--private-key",
  passphraseFile: "--passphrase-file",
  login: "--login",
  passwordFile: "--password-file",
  valueFile: "--value-file",
} as const satisfies Record<keyof Material, string>;

const flagsOfType: Record<AccessKeyType, readonly string[]> = {
  ssh: [flags.privateKey, flags.passphraseFile, flags.login],
  login_password: [flags.login, flags.passwordFile],
  string: [flags.valueFile],
  none: [],
};

/** The flags of a key's secret that were given. */
export function materialFlags(options: Material): string[] {
  const given = (Object.keys(flags) as (keyof Material)[]).filter((name) => options[name] !== undefined);
  return given.map((name) => flags[name]);
}

/** @throws UsageError where material is missing, or is given that a key of this type has no place for */
export async function secretOf(cli: Cli, type: AccessKeyType, options: Material): Promise<z.input<typeof Secret>> {
  const foreign = materialFlags(options).filter((flag) => !flagsOfType[type].includes(flag));
  if (foreign.length > 0) throw new UsageError(`a key of type ${type} has no ${foreign.join(", ")}`);
  const needed = async (file: string | undefined, flag: string) => {
    if (file === undefined) throw new UsageError(`the secret of a key of type ${type} needs ${flag} FILE`);
    return await readSecret(cli, file);
  };
  const login = options.login ?? "";
  if (type === "ssh") {
    const passphrase = options.passphraseFile === undefined ? "" : await readSecret(cli, options.passphraseFile);
    return { type: "ssh", login, private_key: await needed(options.privateKey, flags.privateKey), passphrase };
  }
  if (type === "login_password") {
    return { type: "login_password", login, password: await needed(options.passwordFile, flags.passwordFile) };
  }
  if (type === "string") return { type: "string", value: await needed(options.valueFile, flags.valueFile) };
  return { type: "none" };
}

export function policyOf(options: Policy): z.input<typeof KeyPolicy> {
  return {
    ...(options.refs ? { refs: options.refs } : {}),
    ...(options.refType ? { ref_types: options.refType } : {}),
    ...(options.agentType ? { agent_types: options.agentType } : {}),
    ...(options.forks ? { forks: true } : {}),
    ...(options.proof ? { proofs: options.proof } : {}),
  };
}
