/** `signalbox logs search`: which lines of a job's log hold a text. */
import type { Command } from "commander";
import { type Cli, connect } from "../context.ts";
import { exitCodes } from "../exit.ts";
import { wholeNumber } from "../options.ts";
import { paint } from "../output.ts";
import { createOutputFilter, printableJson } from "../terminal.ts";
import { optionsOfLogs } from "./logs-options.ts";

interface Options {
  ignoreCase?: boolean;
  from?: number | undefined;
  limit: number;
}

export function addLogsSearch(logs: Command, cli: Cli): void {
  logs
    .command("search")
    .description("lines of a job's log that hold a text, as number:line; exit 1 where there is none")
    .argument("<job>", "its id")
    .argument("<text>", "plain text, on one line")
    .option("-i, --ignore-case", "whatever its case")
    .option("--from <n>", "position of the first event", wholeNumber)
    .option("--limit <n>", "at most so many matches", wholeNumber, 1000)
    .action((jobId: string, text: string, options: Options) => {
      // The option of `logs` by this name is read first, wherever it stands.
      const { from } = optionsOfLogs(logs, ["from"]);
      return search(cli, jobId, text, { ...options, from });
    });
}

async function search(cli: Cli, jobId: string, text: string, { limit, ...options }: Options): Promise<void> {
  const { output } = cli;
  const { client } = await connect(cli);
  let [count, lastLine] = [0, 0];
  for await (const match of client.logs.find(jobId, { q: text, ...options })) {
    if (count++ === limit) {
      output.note(`signalbox: more than ${limit} matches; --limit shows more`);
      break;
    }
    if (cli.globals().json) {
      output.raw(`${printableJson(match)}\n`);
    } else if (match.line !== lastLine) {
      const filter = createOutputFilter({ colour: false });
      const line = `${filter.push(match.excerpt)}${filter.end()}`.replaceAll("\n", " ");
      output.raw(`${paint(output.colour, "green", String(match.line))}:${line}\n`);
    }
    lastLine = match.line;
  }
  if (count > 0) return;
  output.note("signalbox: nothing found");
  cli.setExitCode(exitCodes.failed);
}
