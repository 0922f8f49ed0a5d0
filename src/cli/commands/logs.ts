/** `signalbox logs`: a job's log, once or live. */
import type { Command } from "commander";
import { follow } from "../../client/follow.ts";
import { readLog } from "../../client/read-log.ts";
import type { JobResult } from "../../protocol/jobs.ts";
import { type Cli, type Connection, connect } from "../context.ts";
import { exitCodes } from "../exit.ts";
import { createLogPrinter, type LogStyle } from "../log-printer.ts";
import { nodeSockets } from "../node-socket.ts";
import { wholeNumber } from "../options.ts";

interface Options {
  follow?: boolean;
  from: number;
  raw?: boolean;
  exitStatus?: boolean;
}

export function addLogsCommand(program: Command, cli: Cli): void {
  program
    .command("logs")
    .description("a job's log; --json prints one record a line")
    .argument("<job>", "its id")
    .option("-f, --follow", "live, until the log ends")
    .option("--from <n>", "position of the first event", wholeNumber, 0)
    .option("--raw", "commands and output exactly as the job made them, control sequences included")
    .option("--exit-status", "exit 1 unless the job passed")
    .action(async (jobId: string, options: Options) => {
      const connection = await connect(cli);
      // Before any socket: a wrong id or address is told in a word, not after many tries.
      await connection.client.jobs.show(jobId);
      const style = cli.globals().json ? "json" : options.raw ? "raw" : "human";
      const result = options.follow
        ? await followLog(cli, connection, jobId, options.from, style)
        : await printLog(cli, connection, jobId, options.from, style);
      if (options.exitStatus && result !== "passed") cli.setExitCode(exitCodes.failed);
    });
}

/** Live to the end; answers the job's result. */
export async function followLog(
  cli: Cli,
  connection: Connection,
  jobId: string,
  from: number,
  style: LogStyle,
): Promise<JobResult | null> {
  const printer = createLogPrinter(cli.output, style);
  const records = follow({
    baseUrl: connection.baseUrl,
    jobId,
    from,
    sockets: nodeSockets(connection.token),
    signal: cli.signal,
    onInterruption: (why, wait) => cli.output.note(`signalbox: ${why}; again in ${(wait / 1000).toFixed(1)} s`),
  });
  let result: JobResult | null = null;
  for await (const record of records) {
    printer.print(record);
    if (record.kind === "end") result = record.result;
  }
  printer.end();
  return result;
}

/** What there is now; answers the job's result, null while it runs. */
async function printLog(
  cli: Cli,
  connection: Connection,
  jobId: string,
  from: number,
  style: LogStyle,
): Promise<JobResult | null> {
  const printer = createLogPrinter(cli.output, style);
  const page = (position: number) => connection.client.logs.page(jobId, position);
  for await (const record of readLog(page, from)) printer.print(record);
  printer.end();
  return (await connection.client.jobs.show(jobId)).result;
}
