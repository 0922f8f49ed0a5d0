/** `signalbox key change|delete|decide|hand-overs`: what becomes of a key once it is stored. */
import type { Command } from "commander";
import { all, type Client } from "../../client/client.ts";
import { type Cli, connect } from "../context.ts";
import { exitCodes, UsageError } from "../exit.ts";
import {
  addMaterialOptions,
  addPolicyOptions,
  type Material,
  materialFlags,
  type Policy,
  policyOf,
  secretOf,
} from "../key-options.ts";
import { addKeyScopeOptions, type KeyScopeOptions, keyScope } from "../key-scope.ts";
import { gitRef, wholeNumber } from "../options.ts";
import { findKey, findProject, isId } from "../resolve.ts";

export function addKeyLifeCommands(key: Command, cli: Cli): void {
  addChange(key, cli);
  addDelete(key, cli);
  addDecide(key, cli);
  addHandOvers(key, cli);
}

function commandOnKey(key: Command, name: string, description: string): Command {
  return addKeyScopeOptions(key.command(name).description(description).argument("<key>", "name or id"));
}

async function named(cli: Cli, name: string, options: KeyScopeOptions) {
  const { client } = await connect(cli);
  const scope = await keyScope(client, options);
  return { client, scope, key: await findKey(client, scope, name) };
}

function addChange(key: Command, cli: Cli): void {
  const command = commandOnKey(key, "change", "rename a key, give it a new policy as a whole, or replace its secret")
    .option("--name <name>", "its new name; jobs that were started under the old one still get it")
    .option("--revision <n>", "only if this is still its revision", wholeNumber)
    .action(
      async (name: string, options: KeyScopeOptions & Material & Policy & { name?: string; revision?: number }) => {
        const { client, scope, key: found } = await named(cli, name, options);
        const policy = policyOf(options);
        const patch = {
          ...(options.name === undefined ? {} : { name: options.name }),
          ...(Object.keys(policy).length === 0 ? {} : { policy }),
          ...(materialFlags(options).length > 0 ? { secret: await secretOf(cli, found.type, options) } : {}),
        };
        if (Object.keys(patch).length === 0) throw new UsageError("say what to change: --name, a policy, or a secret");
        const changed = await client.keys.change(scope, found.id, patch, options.revision);
        if (cli.globals().json) cli.output.json(changed);
        else
          cli.output.line(
            `changed key ${changed.name}: revision ${changed.revision}, secret ${changed.secret_version}`,
          );
      },
    );
  addPolicyOptions(addMaterialOptions(command));
}

function addDelete(key: Command, cli: Cli): void {
  commandOnKey(key, "delete", "delete a key, for ever")
    .option("--force", "even while it is shared or in use: jobs that have not got it yet are named, and fail")
    .option("--revision <n>", "only if this is still its revision", wholeNumber)
    .action(async (name: string, options: KeyScopeOptions & { force?: boolean; revision?: number }) => {
      const { client, scope, key: found } = await named(cli, name, options);
      const nothing = { unshared: [], broken_jobs: [] };
      if (!options.force) await client.keys.delete(scope, found.id, options.revision);
      const gone = options.force ? await client.keys.forceDelete(scope, found.id, options.revision) : nothing;
      const { unshared, broken_jobs } = gone;
      if (cli.globals().json) return cli.output.json({ deleted: found.id, unshared, broken_jobs });
      cli.output.line(`deleted key ${found.name}`);
      for (const project of unshared) cli.output.line(`taken from project ${project.project_name}`);
      for (const job of broken_jobs) cli.output.line(`breaks ${job.state} job ${job.name} ${job.id}`);
    });
}

function addDecide(key: Command, cli: Cli): void {
  key
    .command("decide")
    .description("say whether a key would open for a job on a ref, and why; exit code 1 where not")
    .argument("<key>", "name or id")
    .requiredOption("--project <project>", "name or id of the job's project")
    .requiredOption("--ref <ref>", "refs/heads/… or refs/tags/…", gitRef)
    .requiredOption("--on <type>", "name of the agent type that would run it")
    .action(async (name: string, options: { project: string; ref: string; on: string }) => {
      const { client } = await connect(cli);
      const project = await findProject(client, options.project);
      const found = await findKey(client, project.id, name);
      const decision = await client.keys.judge(project.id, found.id, { ref: options.ref, agent_type: options.on });
      if (cli.globals().json) cli.output.json(decision);
      else cli.output.line(decision.explanation);
      if (!decision.allowed) cli.setExitCode(exitCodes.failed);
    });
}

function addHandOvers(key: Command, cli: Cli): void {
  commandOnKey(key, "hand-overs", "every job that was handed a key; by id, even a deleted one's")
    .option("--since <time>", "such as 2026-11-20 or 2026-11-20T18:10:13Z (default: ever)", since)
    .action(async (name: string, options: KeyScopeOptions & { since?: string }) => {
      const { client } = await connect(cli);
      const scope = await keyScope(client, options);
      const id = isId(name) ? name : (await findKey(client, scope, name)).id;
      const from = options.since === undefined ? {} : { since: options.since };
      const jobs = await all((query) => client.keys.handOvers(scope, id, { ...query, ...from }));
      if (cli.globals().json) return cli.output.json(jobs);
      // Of one project there is nothing to tell apart.
      const names = scope === null ? await projectNames(client) : null;
      const rows = jobs.map(({ project_id: of, ...job }) => [
        job.id,
        job.first_at,
        job.last_at,
        String(job.times),
        ...(names === null ? [] : [names.get(of) ?? of]),
        job.name,
      ]);
      cli.output.table(["JOB", "FIRST", "LAST", "TIMES", ...(names === null ? [] : ["PROJECT"]), "NAME"], rows);
    });
}

async function projectNames(client: Client): Promise<Map<string, string>> {
  return new Map((await all(client.projects.list)).map(({ id, name }) => [id, name]));
}

function since(text: string): string {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw new UsageError("--since takes a time such as 2026-11-20T18:10:13Z");
  return at.toISOString();
}
