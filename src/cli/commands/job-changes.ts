/** `signalbox job changes`: how the states of jobs changed, once or as they do. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { JobChange } from "../../protocol/job-changes.ts";
import { type Cli, connect } from "../context.ts";
import { wholeNumber } from "../options.ts";

interface Options {
  after: number;
  follow?: boolean;
}

const pollMilliseconds = 2000;
const pageItems = 1000;

export function addChanges(job: Command, cli: Cli): void {
  job
    .command("changes")
    .description("how states of jobs changed, in all projects that you may read; --json prints one change a line")
    .option("--after <position>", "only what came after it (default: all that is kept, 7 days)", wholeNumber, 0)
    .option("-f, --follow", `go on, asking every ${pollMilliseconds / 1000} s, until Ctrl-C`)
    .action((options: Options) => changes(cli, options));
}

async function changes(cli: Cli, { after, follow }: Options): Promise<void> {
  const { client } = await connect(cli);
  let position = after;
  while (true) {
    const page = await client.jobs.changes({ after: position, limit: pageItems });
    // From the beginning nothing was read before, so nothing is missed.
    if (!page.complete && position > 0) {
      cli.output.note(`signalbox: changes after ${position} are no longer kept; list the jobs to see where they stand`);
    }
    for (const change of page.items) print(cli, change);
    position = page.next;
    if (page.items.length === pageItems) continue;
    if (!follow) return;
    await sleep(pollMilliseconds, undefined, { signal: cli.signal });
  }
}

/** A line each, so that a reader may begin before the end and go on from the last position. */
function print(cli: Cli, change: JobChange): void {
  const state = change.result ?? change.state;
  if (cli.globals().json) cli.output.raw(`${JSON.stringify(change)}\n`);
  else cli.output.line([change.position, change.at, change.project_id, change.job_id, state].join("  "));
}
