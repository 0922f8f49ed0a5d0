/** `signalbox trust`: cloud trust policies, written, checked and explained. Lint and explain need no server. */
import { type Command, Option } from "commander";
import { OrganizationSettings } from "../../protocol/accounts.ts";
import { parse } from "../../protocol/parse.ts";
import { type GeneratedTrust, TrustCloud, TrustOptions, TrustTarget } from "../../protocol/trust.ts";
import type { TrustedProject } from "../../trust/subject.ts";
import { generateTrust, lintTrust } from "../../trust/trust.ts";
import { type Cli, connect } from "../context.ts";
import { exitCodes, UsageError } from "../exit.ts";
import { collect } from "../options.ts";
import { cloudOption, readable, readPolicy } from "../policy-input.ts";
import { findProject } from "../resolve.ts";
import { showFindings, showGenerated } from "../trust-report.ts";
import { addExplain } from "./trust-explain.ts";

export function addTrustCommands(program: Command, cli: Cli): void {
  const trust = program.command("trust").description("trust policies of clouds: write, check and explain them");
  addGenerate(trust, cli);
  addLint(trust, cli);
  addExplain(trust, cli);
}

interface GenerateOptions {
  cloud: TrustTarget;
  project?: string;
  ref: string[];
  audience?: string;
  sessionTags?: boolean;
  only?: string;
  account?: string;
  principal?: string;
  pool?: string;
  provider?: string;
  scope?: string;
  issuer?: string;
  org?: string;
  projectName?: string;
  repo?: string;
  pullRequestWord: OrganizationSettings["pull_request_word"];
}

function addGenerate(trust: Command, cli: Cli): void {
  trust
    .command("generate")
    .description("the least policy that trusts a project's jobs on these refs")
    .addOption(cloudOption(TrustTarget.options))
    .option("--project <project>", "name or id, on the server; offline with the options below")
    .requiredOption("--ref <ref>", "a whole ref, or a prefix such as refs/heads/release/**; repeatable", collect)
    .option("--audience <audience>", "(default: the cloud's usual one)")
    .option("--session-tags", "AWS: allow session tags too")
    .option("--account <id>", "AWS account, Google project number, Databricks service principal")
    .option("--principal <name>", "AWS role, Google service account, Azure application, Vault role, Snowflake user")
    .option("--pool <name>", "Google workload identity pool, Vault mount")
    .option("--provider <name>", "Google workload identity provider")
    .option("--scope <name>", "Vault policy, Kubernetes namespace")
    .option("--only <file>", "print this artifact alone, such as trust-policy.json")
    .option("--issuer <url>", "offline: the organization's URL")
    .option("--org <name:id>", "offline: the organization's name and id")
    .option("--project-name <name:id>", "offline: the project's name and id")
    .option("--repo <name>", "offline: the repository's name")
    .addOption(
      new Option("--pull-request-word <word>", "offline: the organization's word for pull requests in `sub`")
        .choices(OrganizationSettings.shape.pull_request_word.unwrap().options)
        .default("pr"),
    )
    .action(async (given: GenerateOptions) => {
      const generated = await generateAsked(cli, given);
      if (given.only !== undefined) return cli.output.raw(artifact(generated, given.only));
      if (cli.globals().json) return cli.output.json(generated);
      showGenerated(cli.output, generated);
    });
}

async function generateAsked(cli: Cli, given: GenerateOptions): Promise<GeneratedTrust> {
  const { account, principal, pool, provider, scope } = given;
  const parsed = parse(TrustOptions, {
    refs: given.ref,
    ...(given.audience !== undefined && { audience: given.audience }),
    names: Object.fromEntries(
      Object.entries({ account, principal, pool, provider, scope }).filter(([, value]) => value !== undefined),
    ),
    session_tags: given.sessionTags ?? false,
  });
  if (!parsed.success) {
    throw new UsageError(parsed.misfits.map(({ path, detail }) => `${optionOf(path, given)}: ${detail}`).join("\n"));
  }
  const offline = offlineProject(given);
  if (offline !== null) return readable(() => generateTrust(given.cloud, offline, parsed.data));
  if (given.project === undefined)
    throw new UsageError("name --project, or all of --issuer, --org, --project-name, --repo");
  const { client } = await connect(cli);
  const project = await findProject(client, given.project);
  return await client.trust.generate({ cloud: given.cloud, project_id: project.id, ...parsed.data });
}

/** What was written on the command line for a field of the request. */
function optionOf([field, at]: readonly PropertyKey[], { ref }: GenerateOptions): string {
  if (field === "refs") return typeof at === "number" ? `--ref ${ref[at]}` : "--ref";
  return `--${String(field === "names" ? at : field)}`;
}

function offlineProject(given: GenerateOptions): TrustedProject | null {
  const { issuer, org, projectName, repo, pullRequestWord } = given;
  if (issuer === undefined || org === undefined || projectName === undefined || repo === undefined) return null;
  if (URL.parse(issuer)?.origin !== issuer) throw new UsageError("--issuer: write scheme and host alone, as in iss");
  const settings = { pull_request_word: pullRequestWord };
  return {
    issuer,
    org: { ...nameAndId("--org", org), settings },
    project: nameAndId("--project-name", projectName),
    repo,
  };
}

function nameAndId(option: string, text: string): { name: string; id: string } {
  const [, name, id] = /^([a-z0-9][a-z0-9._-]{0,62}):([0-9a-f-]{36})$/.exec(text) ?? [];
  if (name === undefined || id === undefined) throw new UsageError(`${option}: write NAME:ID`);
  return { name, id };
}

function artifact({ artifacts }: GeneratedTrust, name: string): string {
  const found = artifacts.find((each) => each.name === name);
  if (found === undefined) throw new UsageError(`--only: there is ${artifacts.map((each) => each.name).join(", ")}`);
  return found.text;
}

function addLint(trust: Command, cli: Cli): void {
  trust
    .command("lint")
    .description("what is unsafe in a policy, or never fits; exits 1 where there is something")
    .argument("[policy]", "file that holds it; - is standard input", "-")
    .addOption(cloudOption(TrustCloud.options))
    .action(async (file: string, { cloud }: { cloud: TrustCloud }) => {
      const policy = await readPolicy(cli, file);
      const lint = readable(() => lintTrust(cloud, policy), file);
      if (cli.globals().json) cli.output.json(lint);
      else showFindings(cli.output, lint.findings);
      if (lint.findings.length > 0) cli.setExitCode(exitCodes.failed);
    });
}
