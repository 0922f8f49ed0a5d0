/** `signalbox job`: run, show, list, stop, changes. */
import type { Command } from "commander";
import { all } from "../../client/client.ts";
import type { Job } from "../../protocol/jobs.ts";
import type { LogSummary } from "../../protocol/log-reading.ts";
import { type Cli, connect } from "../context.ts";
import { exitCodes } from "../exit.ts";
import { collect, collectPairs, gitRef, gitSha, wholeNumber } from "../options.ts";
import { findProject } from "../resolve.ts";
import { addChanges } from "./job-changes.ts";
import { jobSpecOf, type SpecOptions } from "./job-spec.ts";
import { followLog } from "./logs.ts";

interface RunOptions extends SpecOptions {
  project: string;
  ref: string;
  sha: string;
  agentType: string;
  name?: string;
  timeLimit?: number;
  follow?: boolean;
  exitStatus?: boolean;
}

export function addJobCommands(program: Command, cli: Cli): void {
  const job = program.command("job").description("jobs: start, watch, stop");
  addRun(job, cli);
  addChanges(job, cli);
  job
    .command("show")
    .description("one job")
    .argument("<job>", "its id")
    .action(async (id: string) => {
      const { client } = await connect(cli);
      const found = await client.jobs.show(id);
      const isLogThere = found.state === "finished" && found.log_deletion === null && !cli.globals().json;
      show(cli, found, isLogThere ? await client.logs.summary(id) : undefined);
    });
  job
    .command("list")
    .description("a project's jobs, newest first")
    .requiredOption("--project <project>", "name or id")
    .option("--limit <n>", "how many", wholeNumber, 20)
    .option("--all", "all of them")
    .action(async (options: { project: string; limit: number; all?: boolean }) => {
      const { client } = await connect(cli);
      const project = await findProject(client, options.project);
      const page = (query?: Parameters<typeof client.jobs.list>[1]) => client.jobs.list(project.id, query);
      const jobs = options.all ? await all(page) : (await page({ limit: options.limit })).items;
      if (cli.globals().json) return cli.output.json(jobs);
      const rows = jobs.map((found) => [
        found.id,
        found.result ?? found.state,
        found.git.ref,
        found.created_at,
        found.name,
      ]);
      cli.output.table(["ID", "STATE", "REF", "CREATED", "NAME"], rows);
    });
  job
    .command("stop")
    .description("ask a job to stop")
    .argument("<job>", "its id")
    .action(async (id: string) => {
      const { client } = await connect(cli);
      show(cli, await client.jobs.stop(id));
    });
}

function addRun(job: Command, cli: Cli): void {
  job
    .command("run")
    .description("start a job; several words after -- are one command, a single one is shell text")
    .argument("[command...]", "after --")
    .requiredOption("--project <project>", "name or id")
    .requiredOption("--ref <ref>", "such as refs/heads/main", gitRef)
    .requiredOption("--sha <sha>", "the commit, in full", gitSha)
    .requiredOption("--agent-type <name>", "whose agents may run it")
    .option("--name <name>", "what lists call it (default: its ref)")
    .option("--time-limit <seconds>", "stop it after this long", wholeNumber)
    .option("--spec <file>", "a job specification as JSON, - for standard input; other options add to it")
    .option("--command <text>", "shell text; repeatable, run in order", collect)
    .option("--env <name=value>", "a variable; repeatable", collectPairs("NAME=VALUE", "=", { mayBeEmpty: true }))
    .option(
      "--secret-env <name=file>",
      "a variable whose value is a file's and masked in the log; repeatable",
      collectPairs("NAME=FILE", "="),
    )
    .option("--key <name>", "an access key that it needs, placed as its type's default; repeatable", collect)
    .option("--file <local:remote>", "a file to place; repeatable", collectPairs("LOCAL:REMOTE", ":"))
    .option("--follow", "show the log until it ends")
    .option("--exit-status", "wait for the end; exit 1 unless the job passed")
    .action((words: string[], options: RunOptions) => run(cli, words, options));
}

async function run(cli: Cli, words: readonly string[], options: RunOptions): Promise<void> {
  const spec = await jobSpecOf(cli, words, options);
  const connection = await connect(cli);
  const project = await findProject(connection.client, options.project);
  const started = await connection.client.jobs.start(project.id, {
    // Not its commands: those rest sealed, and a name does not.
    name: options.name ?? options.ref.slice(0, 200),
    ref: options.ref,
    sha: options.sha,
    agent_type: options.agentType,
    ...(options.timeLimit === undefined ? {} : { time_limit_seconds: options.timeLimit }),
    spec,
  });
  if (!options.follow && !options.exitStatus) {
    if (cli.globals().json) cli.output.json(started);
    else cli.output.line(started.id);
    return;
  }
  cli.output.note(`signalbox: job ${started.id}; Ctrl-C leaves it running`);
  const result = await followLog(cli, connection, started.id, { from: 0 }, cli.globals().json ? "json" : "human");
  if (options.exitStatus && result !== "passed") cli.setExitCode(exitCodes.failed);
}

function show(cli: Cli, job: Job, log?: LogSummary): void {
  if (cli.globals().json) {
    cli.output.json(job);
    return;
  }
  const rows = [
    ["id", job.id],
    ["name", job.name],
    ["state", job.result ? `${job.state}, ${job.result}` : job.state],
    ["ref", `${job.git.ref}${job.git.ref_protected ? " (protected)" : ""}`],
    ["commit", job.git.sha],
    ["started by", `${job.git.trg}, ${job.created_by}`],
    ["agent", job.agent ? `${job.agent.name} (${job.agent_type})` : `none yet (${job.agent_type})`],
    ["created", job.created_at],
    ["started", job.started_at ?? "not yet"],
    ["finished", job.finished_at ?? "not yet"],
  ];
  if (job.reason) rows.push(["reason", job.reason]);
  cli.output.table([], [...rows, ...logRows(job, log)]);
}

function logRows({ log_deletion }: Job, log: LogSummary | undefined): string[][] {
  if (log_deletion !== null) {
    return [
      ["log deleted", log_deletion.at],
      ["log SHA-256", log_deletion.sha256],
    ];
  }
  if (!log?.final) return [];
  return [
    ["log", `${log.events} events, ${log.final.bytes} bytes, kept until ${log.final.delete_at}`],
    ["log SHA-256", log.final.sha256],
  ];
}
