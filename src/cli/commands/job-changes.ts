/** `signalbox job changes`: how the states of jobs changed, once or as they do. */
import type { Command } from "commander";
import { followChanges } from "../../client/follow-changes.ts";
import type { JobChange, JobChangesPage } from "../../protocol/job-changes.ts";
import { type Cli, type Connection, connect } from "../context.ts";
import { nodeSockets } from "../node-socket.ts";
import { wholeNumber } from "../options.ts";

interface Options {
  after: number;
  follow?: boolean;
}

const pageItems = 1000;

export function addChanges(job: Command, cli: Cli): void {
  job
    .command("changes")
    .description("how states of jobs changed, in all projects that you may read; --json prints one change a line")
    .option("--after <position>", "only what came after it (default: all that is kept, 7 days)", wholeNumber, 0)
    .option("-f, --follow", "go on as they come, until Ctrl-C; a broken connection is resumed")
    .action((options: Options) => changes(cli, options));
}

async function changes(cli: Cli, options: Options): Promise<void> {
  for await (const page of pages(cli, options)) {
    // From the beginning nothing was read before, so nothing is missed.
    if (!page.complete && page.after > 0) {
      const missing = `changes after ${page.after} are no longer kept; list the jobs to see where they stand`;
      cli.output.note(`signalbox: ${missing}`);
    }
    for (const change of page.items) print(cli, change);
  }
}

/** Each with the position behind which it was asked for. */
async function* pages(cli: Cli, { after, follow }: Options): AsyncGenerator<JobChangesPage & { after: number }> {
  const connection = await connect(cli);
  const coming = follow ? live(cli, connection, after) : atRest(connection, after);
  let position = after;
  for await (const page of coming) {
    yield { ...page, after: position };
    position = page.next;
  }
}
function live(cli: Cli, { baseUrl, token }: Connection, after: number): AsyncGenerator<JobChangesPage> {
  return followChanges({
    after,
    baseUrl,
    sockets: nodeSockets(token),
    signal: cli.signal,
    onInterruption: (why, wait) => cli.output.note(`signalbox: ${why}; again in ${(wait / 1000).toFixed(1)} s`),
  });
}

async function* atRest({ client }: Connection, after: number): AsyncGenerator<JobChangesPage> {
  let page: JobChangesPage;
  let position = after;
  do {
    page = await client.jobs.changes({ after: position, limit: pageItems });
    yield page;
    position = page.next;
  } while (page.items.length === pageItems);
}

/** A line each, so that a reader may begin before the end and go on from the last position. */
function print(cli: Cli, change: JobChange): void {
  const state = change.result ?? change.state;
  if (cli.globals().json) cli.output.raw(`${JSON.stringify(change)}\n`);
  else cli.output.line([change.position, change.at, change.project_id, change.job_id, state].join("  "));
}
