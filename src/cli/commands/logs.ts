/** `signalbox logs`: a job's log, once or live; one of its lines. */
import { type Command, Option } from "commander";
import { follow } from "../../client/follow.ts";
import type { LogRecord } from "../../client/log-assembler.ts";
import { positionSince, sinceOnly } from "../../client/log-since.ts";
import { readLog, withNotices } from "../../client/read-log.ts";
import type { JobResult } from "../../protocol/jobs.ts";
import { type Cli, type Connection, connect } from "../context.ts";
import { exitCodes, Failure } from "../exit.ts";
import { createLogPrinter, type LogStyle } from "../log-printer.ts";
import { nodeSockets } from "../node-socket.ts";
import { moment, wholeNumber } from "../options.ts";
import { createOutputFilter } from "../terminal.ts";
import { addLogsDownload } from "./logs-download.ts";
import type { LogsOptions } from "./logs-options.ts";
import { addLogsSearch } from "./logs-search.ts";

/** From which event on: the first is 0. Of those before `since` (Unix seconds) none is shown. */
export interface Beginning {
  from: number;
  since?: number | undefined;
}

export function addLogsCommand(program: Command, cli: Cli): void {
  const logs = program
    .command("logs")
    .description("a job's log; --json prints one record a line")
    .argument("<job>", "its id")
    .option("-f, --follow", "live, until the log ends")
    .option("--from <n>", "position of the first event", wholeNumber)
    .addOption(
      new Option("--since <when>", "from then on, by the agent's clock: 15m, or 2026-11-20T18:10:00Z")
        .argParser((text) => moment(text))
        .conflicts("from"),
    )
    .addOption(
      new Option("--line <n>", "this line of its text alone, from 1")
        .argParser(wholeNumber)
        .conflicts(["follow", "from", "since", "exitStatus"]),
    )
    .option("--raw", "commands and output exactly as the job made them, control sequences included")
    .option("--exit-status", "exit 1 unless the job passed")
    .action((jobId: string, options: LogsOptions) => show(cli, jobId, options));
  addLogsSearch(logs, cli);
  addLogsDownload(logs, cli);
}

async function show(cli: Cli, jobId: string, options: LogsOptions): Promise<void> {
  const connection = await connect(cli);
  const { client } = connection;
  // Before any socket: a wrong id or address is told in a word, not after many tries.
  await client.jobs.show(jobId);
  if (options.line !== undefined) return printLine(cli, connection, jobId, { ...options, line: options.line });
  const { since } = options;
  const from = since === undefined ? (options.from ?? 0) : await positionSince(client.logs, jobId, since);
  const style = cli.globals().json ? "json" : options.raw ? "raw" : "human";
  const result = options.follow
    ? await followLog(cli, connection, jobId, { from, since }, style)
    : await printLog(cli, connection, jobId, { from, since }, style);
  if (options.exitStatus && result !== "passed") cli.setExitCode(exitCodes.failed);
}

/** Live to the end; answers the job's result. */
export async function followLog(
  cli: Cli,
  connection: Connection,
  jobId: string,
  { from, since }: Beginning,
  style: LogStyle,
): Promise<JobResult | null> {
  const records = follow({
    baseUrl: connection.baseUrl,
    jobId,
    from,
    sockets: nodeSockets(connection.token),
    signal: cli.signal,
    onInterruption: (why, wait) => cli.output.note(`signalbox: ${why}; again in ${(wait / 1000).toFixed(1)} s`),
  });
  let result: JobResult | null = null;
  await printAll(cli, begun(records, since), style, (record) => {
    if (record.kind === "end") result = record.result;
  });
  return result;
}

/** What there is now; answers the job's result, null while it runs. */
async function printLog(
  cli: Cli,
  connection: Connection,
  jobId: string,
  { from, since }: Beginning,
  style: LogStyle,
): Promise<JobResult | null> {
  const { logs, jobs } = connection.client;
  const { notices } = await logs.summary(jobId);
  const stored = readLog((position) => logs.page(jobId, position), from);
  await printAll(cli, begun(withNotices(stored, notices, from), since), style);
  return (await jobs.show(jobId)).result;
}

function begun(records: AsyncIterable<LogRecord>, since: number | undefined): AsyncIterable<LogRecord> {
  return since === undefined ? records : sinceOnly(records, since);
}

async function printAll(
  cli: Cli,
  records: AsyncIterable<LogRecord>,
  style: LogStyle,
  also: (record: LogRecord) => void = () => undefined,
): Promise<void> {
  const printer = createLogPrinter(cli.output, style);
  for await (const record of records) {
    printer.print(record);
    also(record);
  }
  printer.end();
}

async function printLine(
  { output, globals }: Cli,
  { client }: Connection,
  jobId: string,
  { line, raw }: { line: number; raw?: boolean },
): Promise<void> {
  const found = line === 0 ? null : await client.logs.line(jobId, line);
  if (found === null) throw new Failure(`the log has no line ${line}`);
  if (globals().json) return output.json(found);
  const filter = createOutputFilter(output);
  output.raw(raw ? found.text : `${filter.push(found.text)}${filter.end()}`);
  output.raw("\n");
  if (!found.complete) output.note("signalbox: the line goes on");
}
