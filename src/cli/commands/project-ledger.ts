/** `signalbox project ledger`: every identity token minted in a project, never the tokens. */
import { type Command, InvalidArgumentError } from "commander";
import { limits } from "../../protocol/limits.ts";
import { type Cli, connect } from "../context.ts";
import { wholeNumber } from "../options.ts";
import { findProject } from "../resolve.ts";

interface Options {
  audience?: string;
  last: number;
}

export function addLedger(project: Command, cli: Cli): void {
  project
    .command("ledger")
    .description("the identity tokens that its jobs were given, newest first")
    .argument("<project>", "name or id")
    .option("--audience <audience>", "only those for this audience")
    .option("--last <n>", "how many", atMost(limits.listItems), 100)
    .action(async (name: string, { audience, last }: Options) => {
      const { client } = await connect(cli);
      const { id } = await findProject(client, name);
      const { items, next } = await client.identity.ledger(id, { audience, limit: last });
      if (cli.globals().json) return cli.output.json(items);
      const rows = items.map((mint) => [mint.issued_at, mint.expires_at, mint.aud, mint.job_id, mint.jti, mint.sub]);
      cli.output.table(["ISSUED", "EXPIRES", "AUDIENCE", "JOB", "TOKEN", "SUBJECT"], rows);
      if (next !== null) cli.output.note(`There are older ones: --last N shows up to ${limits.listItems}.`);
    });
}

function atMost(most: number) {
  return (text: string): number => {
    const count = wholeNumber(text);
    if (count < 1 || count > most) throw new InvalidArgumentError(`must be 1 to ${most}.`);
    return count;
  };
}
