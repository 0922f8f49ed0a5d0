/** `signalbox sealing check`: what rests under each sealing key, and whether every record opens. */
import type { Command } from "commander";
import type { SealingBatch, SealingStatus } from "../../protocol/sealing.ts";
import { type Cli, connect } from "../context.ts";
import { exitCodes } from "../exit.ts";
import { addSealingEscrow, keptWords } from "./sealing-escrow.ts";

type Unreadable = SealingBatch["unreadable"];

export function addSealingCommands(program: Command, cli: Cli): void {
  const sealing = program.command("sealing").description("the sealing keys, and what is sealed under them");
  addSealingEscrow(sealing, cli);
  sealing
    .command("check")
    .description("count what rests under each key and open every record; exit code 1 where one does not open")
    .action(async () => {
      const { client } = await connect(cli);
      const status = await client.sealing.status();
      const isMissing = status.items.some(({ state }) => state === "missing");
      // Records whose key is held nowhere cannot be opened: the status says so already.
      const unreadable = isMissing ? [] : await walkRecords(cli, client.sealing.verify, "open");
      showSealing(cli, status, unreadable);
      if (isMissing || unreadable.length > 0) cli.setExitCode(exitCodes.failed);
    });
}

/** Walks every record, with a line of progress for each thousand; returns what does not open. */
export async function walkRecords(
  cli: Cli,
  next: (after: string | null) => Promise<SealingBatch>,
  done: string,
): Promise<Unreadable> {
  const unreadable: Unreadable = [];
  let seen = 0;
  let after: string | null = null;
  do {
    const batch: SealingBatch = await next(after);
    const thousands = Math.floor(seen / 1000);
    seen += batch.seen;
    unreadable.push(...batch.unreadable);
    if (Math.floor(seen / 1000) > thousands) cli.output.note(`${seen} records so far`);
    after = batch.next;
  } while (after !== null);
  cli.output.note(`${seen - unreadable.length} of ${seen} records ${done}.`);
  return unreadable;
}

export function showSealing(cli: Cli, status: SealingStatus, unreadable: Unreadable): void {
  if (cli.globals().json) {
    cli.output.json({ ...status, unreadable });
    return;
  }
  const head = ["KEY", "STATE", "SLOT", "SINCE", "ACCESS KEYS", "JOB SPECS", "UNFINISHED JOBS", "COPY"];
  cli.output.table(
    head,
    status.items.map((key) => [
      key.key_id,
      stateWords[key.state],
      key.slot ?? "",
      key.since ?? "",
      String(key.access_keys),
      String(key.job_specs),
      String(key.unfinished_jobs),
      key.escrow === null ? "" : [keptWords[key.escrow.how], key.escrow.recipient ?? ""].join(" "),
    ]),
  );
  for (const { key_id } of status.items.filter(isUnkept)) {
    cli.output.note(`nobody keeps a copy of the sealing key ${key_id}: signalbox sealing escrow --key-file FILE`);
  }
  for (const { table, id } of unreadable) cli.output.line(`does not open: ${table} ${id}`);
}

/** A key that seals or will, and is lost with its binding. */
function isUnkept({ state, escrow }: SealingStatus["items"][number]): boolean {
  return (state === "seals" || state === "new") && (escrow === null || escrow.how === "declined");
}

const stateWords: Record<SealingStatus["items"][number]["state"], string> = {
  seals: "seals now",
  new: "new",
  retired: "retired",
  safe_to_remove: "SAFE TO REMOVE",
  missing: "MISSING",
  gone: "gone",
};
