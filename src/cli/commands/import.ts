/** `signalbox import semaphore-ui`: the access keys of a Semaphore UI database, opened here and sealed by the server. */
import type { Command } from "commander";
import { all, type Client } from "../../client/client.ts";
import { ApiProblem } from "../../client/errors.ts";
import { type Cli, connect, messageOf, readInput } from "../context.ts";
import { exitCodes, UsageError } from "../exit.ts";
import { parseCipherKey, type SourceCipherKey } from "../import/open-secret.ts";
import { type Mapping, type PlannedKey, parseMapping, planImport, targetOf } from "../import/plan.ts";
import { readDatabase } from "../import/read-database.ts";
import { repositoryFrom } from "../import/repository.ts";
import type { Source } from "../import/rows.ts";
import { collect } from "../options.ts";
import { projectNamed } from "../resolve.ts";

interface Options {
  database: string;
  keyFile?: string[];
  project?: string[];
  source: string;
  createProjects?: boolean;
  dryRun?: boolean;
}

/** A project here: its id, null where it does not exist yet, or why it cannot be used. */
interface Target {
  readonly id: string | null;
  readonly problem: string | null;
}

/** What became of a row. */
interface Outcome {
  readonly row: PlannedKey;
  readonly state: "imported" | "already here" | "to import" | "not taken";
  readonly problem: string | null;
}

export function addImportCommands(program: Command, cli: Cli): void {
  program
    .command("import")
    .description("move in from elsewhere")
    .command("semaphore-ui")
    .description("access keys of Semaphore UI, the secrets of its variable groups included")
    .requiredOption(
      "--database <file>",
      "its SQLite file, a SQL dump (SQLite, MySQL, PostgreSQL), or a BoltDB's content as JSON",
    )
    .option("--key-file <file>", "its access_key_encryption, or the config.json that holds it; repeatable", collect)
    .option("--project <name>", "the project here: NAME for all keys, or THEIRS=HERE; repeatable", collect)
    .option("--source <name>", "tells several installations apart", "semaphore-ui")
    .option("--create-projects", "create the projects that do not exist here")
    .option("--dry-run", "show the plan alone")
    .action(async (options: Options) => importKeys(cli, options));
}

async function importKeys(cli: Cli, options: Options): Promise<void> {
  const mapping = parseMapping(options.project ?? []);
  const keys = await Promise.all((options.keyFile ?? []).map((file) => readKey(cli, file)));
  const source = await read(options.database);
  const plan = planImport(source, { sourceId: options.source, mapping, keys });
  const { client } = await connect(cli);
  const targets = await findTargets(client, source, mapping, plan, options.createProjects ?? false);
  const planned = await compare(client, plan, targets);
  if (options.dryRun) return report(cli, planned, true);
  if (!cli.globals().json) cli.output.note(summary(planned));
  report(cli, await apply(client, planned, targets, source, mapping), false);
}

async function readKey(cli: Cli, file: string): Promise<SourceCipherKey> {
  const key = parseCipherKey(await readInput(cli, file));
  if (typeof key === "string") throw new UsageError(`${file} ${key}`);
  return key;
}

async function read(file: string): Promise<Source> {
  try {
    return await readDatabase(file);
  } catch (error) {
    throw new UsageError(`${file} is no Semaphore UI database that can be read: ${messageOf(error)}`);
  }
}

async function findTargets(
  client: Client,
  source: Source,
  mapping: Mapping,
  plan: readonly PlannedKey[],
  create: boolean,
): Promise<Map<string, Target>> {
  const targets = new Map<string, Target>();
  for (const name of new Set(plan.filter(({ body }) => body !== null).map(({ project }) => project))) {
    const found = await projectNamed(client, name);
    targets.set(name, found ? { id: found.id, problem: null } : missing(source, mapping, name, create));
  }
  return targets;
}

function missing(source: Source, mapping: Mapping, name: string, create: boolean): Target {
  if (!create) return { id: null, problem: `there is no project ${name} here: create it, or map it by --project` };
  const known = repositoryOf(source, mapping, name) !== null;
  return { id: null, problem: known ? null : `project ${name} has no repository to be created with: create it first` };
}

function repositoryOf(source: Source, mapping: Mapping, name: string) {
  const from = [...source.projects].find(([id]) => targetOf(source, id, mapping) === name)?.[1];
  return from?.gitUrl ? repositoryFrom(from.gitUrl) : null;
}

/** The plan beside what is here already: nothing is changed. */
async function compare(
  client: Client,
  plan: readonly PlannedKey[],
  targets: ReadonlyMap<string, Target>,
): Promise<Outcome[]> {
  const here = new Map<string, Map<string, string>>();
  for (const [name, { id }] of targets) {
    const keys = id === null ? [] : await all((query) => client.keys.list(id, query));
    here.set(name, new Map(keys.map((key) => [key.name, key.id])));
  }
  return plan.map((row) => {
    const problem = row.problem ?? targets.get(row.project)?.problem ?? null;
    if (row.body === null || problem !== null) return { row, state: "not taken", problem };
    const present = here.get(row.project);
    if ([...(present?.values() ?? [])].includes(row.body.id)) return { row, state: "already here", problem: null };
    if (!present?.has(row.name)) return { row, state: "to import", problem: null };
    return { row, state: "not taken", problem: `another key here is named ${row.name}` };
  });
}

async function apply(
  client: Client,
  planned: readonly Outcome[],
  targets: ReadonlyMap<string, Target>,
  source: Source,
  mapping: Mapping,
): Promise<Outcome[]> {
  const ids = new Map<string, string>();
  const projectId = async (name: string) => {
    const known = ids.get(name) ?? targets.get(name)?.id ?? null;
    const id = known ?? (await createProject(client, source, mapping, name));
    ids.set(name, id);
    return id;
  };
  const outcomes: Outcome[] = [];
  for (const outcome of planned) outcomes.push(await send(client, outcome, projectId));
  return outcomes;
}

async function createProject(client: Client, source: Source, mapping: Mapping, name: string): Promise<string> {
  const repository = repositoryOf(source, mapping, name);
  if (repository === null) throw new UsageError(`project ${name} has no repository to be created with`);
  return (await client.projects.create({ name, repository })).id;
}

/** What is here already is sent too: the server answers whether it is still the same. */
async function send(client: Client, outcome: Outcome, projectId: (name: string) => Promise<string>): Promise<Outcome> {
  const { row, state } = outcome;
  if (row.body === null || state === "not taken") return outcome;
  try {
    await client.keys.create(await projectId(row.project), row.body);
    return { row, state: state === "to import" ? "imported" : state, problem: null };
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
    const differs = error.status === 409 && state === "already here";
    return { row, state: "not taken", problem: differs ? "was changed since, here or there" : problemOf(error) };
  }
}

function problemOf(error: ApiProblem): string {
  return [error.detail, ...error.errors.map(({ pointer, detail }) => `${pointer} ${detail}`)].join("; ");
}

function report(cli: Cli, outcomes: readonly Outcome[], dryRun: boolean): void {
  const items = outcomes.map(({ row: { body, problem: _, ...row }, state, problem }) => ({
    ...row,
    id: body?.id ?? null,
    state,
    problem,
  }));
  if (cli.globals().json) cli.output.json({ dry_run: dryRun, items });
  else {
    const head = ["THEIR PROJECT", "THEIR KEY", "TYPE", "PROJECT", "NAME", "STATE"];
    const rows = items.map((item) => [
      item.sourceProject,
      `${item.sourceId} ${item.sourceName}`,
      item.type,
      item.project,
      item.name,
      [item.state, item.problem, item.unencrypted ? "lay unencrypted: replace it" : null]
        .filter((word) => word !== null)
        .join(": "),
    ]);
    cli.output.table(head, rows);
    cli.output.note(summary(outcomes));
  }
  if (outcomes.some(({ state }) => state === "not taken")) cli.setExitCode(exitCodes.failed);
}

function summary(outcomes: readonly Outcome[]): string {
  const count = (state: Outcome["state"]) => outcomes.filter((outcome) => outcome.state === state).length;
  const states = ["imported", "to import", "already here", "not taken"] as const;
  const counted = states.filter((state) => count(state) > 0).map((state) => `${count(state)} ${state}`);
  return `${outcomes.length} keys: ${counted.join(", ")}.`;
}
