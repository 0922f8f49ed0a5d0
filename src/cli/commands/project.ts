/** `signalbox project`: create, list, show, set; its ledger is in project-ledger.ts. */
import { type Command, Option } from "commander";
import { all } from "../../client/client.ts";
import type { Project } from "../../protocol/projects.ts";
import { type Cli, connect } from "../context.ts";
import { UsageError } from "../exit.ts";
import { collect, wholeNumber } from "../options.ts";
import { findProject } from "../resolve.ts";
import { addLedger } from "./project-ledger.ts";

interface Settings {
  defaultBranch?: string;
  protect?: string[];
  protectDefault?: boolean;
  timeLimit?: number;
  githubTokenVariables?: boolean;
  identity?: "default" | "none";
  forkTokens?: boolean;
  logRetentionDays?: number;
}

export function addProjectCommands(program: Command, cli: Cli): void {
  const project = program.command("project").description("projects, each with its one repository");
  addCreate(project, cli);
  project
    .command("list")
    .description("all projects that the token may see")
    .action(async () => {
      const { client } = await connect(cli);
      const projects = await all(client.projects.list);
      if (cli.globals().json) return cli.output.json(projects);
      const rows = projects.map((found) => [
        found.name,
        found.repository.slug,
        found.settings.default_branch,
        found.id,
      ]);
      cli.output.table(["NAME", "REPOSITORY", "DEFAULT BRANCH", "ID"], rows);
    });
  project
    .command("show")
    .description("one project and its settings")
    .argument("<project>", "name or id")
    .action(async (name: string) => {
      const { client } = await connect(cli);
      show(cli, await findProject(client, name));
    });
  addSet(project, cli);
  addLedger(project, cli);
}

function addCreate(project: Command, cli: Cli): void {
  withSettings(project.command("create"))
    .description("make a project")
    .argument("<name>", "its name, for ever")
    .requiredOption("--slug <owner/name>", "the repository as its host names it")
    .option("--repository <name>", "the repository's name in every token's subject (default: the project's name)")
    .option("--repository-url <url>", "where to clone it from", "")
    .action(async (name: string, options: Settings & { slug: string; repository?: string; repositoryUrl: string }) => {
      const { client } = await connect(cli);
      const made = await client.projects.create({
        name,
        repository: { name: options.repository ?? name, slug: options.slug, url: options.repositoryUrl },
        settings: settingsOf(options),
      });
      show(cli, made);
    });
}

function addSet(project: Command, cli: Cli): void {
  withSettings(project.command("set"))
    .description("change settings; what is not named stays")
    .argument("<project>", "name or id")
    .action(async (name: string, options: Settings) => {
      const change = settingsOf(options);
      if (Object.keys(change).length === 0) throw new UsageError("name at least one setting to change");
      const { client } = await connect(cli);
      const found = await findProject(client, name);
      show(cli, await client.projects.change(found.id, change, found.revision));
    });
}

function withSettings(command: Command): Command {
  return command
    .option("--default-branch <ref>", "such as refs/heads/main")
    .option("--protect <pattern>", "ref pattern that takes a manager to start on; repeatable", collect)
    .option("--protect-default", "protect the default branch alone")
    .option("--time-limit <seconds>", "longest time that a job may run", wholeNumber)
    .option("--github-token-variables", "also hand jobs the variables that GitHub's toolkit asks for tokens with")
    .option("--no-github-token-variables", "do not")
    .addOption(new Option("--identity <which>", "whether jobs get identity tokens").choices(["default", "none"]))
    .option("--fork-tokens", "jobs of forks get identity tokens too, of ref type fork")
    .option("--no-fork-tokens", "they do not")
    .option("--log-retention-days <n>", "delete a log so long after its end; old logs too, within a day", wholeNumber);
}

function settingsOf(options: Settings) {
  if (options.protect && options.protectDefault)
    throw new UsageError("--protect and --protect-default exclude each other");
  return {
    ...(options.defaultBranch === undefined ? {} : { default_branch: options.defaultBranch }),
    ...(options.protect ? { protected_refs: options.protect } : {}),
    ...(options.protectDefault ? { protected_refs: null } : {}),
    ...(options.timeLimit === undefined ? {} : { job_time_limit_seconds: options.timeLimit }),
    ...(options.githubTokenVariables === undefined ? {} : { github_token_variables: options.githubTokenVariables }),
    ...(options.identity === undefined ? {} : { identity: options.identity }),
    ...(options.forkTokens === undefined ? {} : { fork_tokens: options.forkTokens }),
    ...(options.logRetentionDays === undefined ? {} : { log_retention_days: options.logRetentionDays }),
  };
}

function show(cli: Cli, project: Project): void {
  if (cli.globals().json) {
    cli.output.json(project);
    return;
  }
  const { settings, repository } = project;
  const rows = [
    ["name", project.name],
    ["id", project.id],
    ["repository", `${repository.name} (${repository.slug})`],
    ["default branch", settings.default_branch],
    ["protected refs", settings.protected_refs?.join(" ") ?? "the default branch"],
    ["job time limit", `${settings.job_time_limit_seconds} s`],
    ["GitHub's token variables", settings.github_token_variables ? "set in jobs" : "not set"],
    ["identity tokens", settings.identity === "none" ? "none" : settings.fork_tokens ? "forks too" : "all but forks"],
    ["logs are kept", `${settings.log_retention_days} days`],
    ["revision", String(project.revision)],
  ];
  cli.output.table([], rows);
}
