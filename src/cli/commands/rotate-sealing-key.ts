/** `signalbox rotate sealing-key`: put, switch, seal anew; whatever a run before this one did is not done again. */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { Client } from "../../client/client.ts";
import { type Cli, connect, messageOf } from "../context.ts";
import { addEscrowOptions, type EscrowOptions, escrowKey } from "../escrow.ts";
import { exitCodes, Failure, UsageError } from "../exit.ts";
import { nextSealingStep } from "../sealing-plan.ts";
import { putSecret } from "../wrangler.ts";
import { newSealingKey } from "./keygen.ts";
import { showSealing, walkRecords } from "./sealing.ts";

interface Options extends EscrowOptions {
  readonly print?: boolean;
  readonly keyFile?: string;
}

/** A put secret is a new version of the Worker; it is taken for deployed once it answers so often in a row. */
const seenWithinSeconds = 120;
const answersInARow = 5;

export function addRotateSealingKey(rotate: Command, cli: Cli): void {
  const command = rotate
    .command("sealing-key")
    .description(
      "put a new sealing key into the idle slot, let it seal, and seal every record anew; run it again to resume",
    )
    .option("--print", "print the new key for another way of putting it, and stop; run again once it is there")
    .option("--key-file <file>", "write the new key into a new file, and stop; run again once it is there")
    .action(async (options: Options) => rotateSealingKey(cli, options));
  addEscrowOptions(command);
}

async function rotateSealingKey(cli: Cli, options: Options): Promise<void> {
  const { client } = await connect(cli);
  const before = await client.sealing.status();
  let step = nextSealingStep(before);
  if (typeof step === "string") throw new Failure(step);
  if (step.kind === "put") {
    const idHex = await putNewKey(cli, client, { from: before.seals_with, slot: step.slot }, options);
    if (idHex === null) return;
    step = { kind: "switch", key: await deployed(cli, client, idHex) };
  }
  if (step.kind === "switch") {
    const { key } = step;
    await deployed(cli, client, key.key_id);
    await client.sealing.switchTo({ from: before.seals_with, to: key.key_id });
    cli.output.note(`${key.key_id} seals now.`);
  }
  const unreadable = await walkRecords(cli, client.sealing.reseal, "sealed anew");
  showSealing(cli, await client.sealing.status(), unreadable);
  if (unreadable.length > 0) cli.setExitCode(exitCodes.failed);
}

/** The new key's id; null where somebody else is to put it. A copy is kept before anything depends on the key. */
async function putNewKey(
  cli: Cli,
  client: Client,
  { from, slot }: { from: string; slot: string },
  options: Options,
): Promise<string | null> {
  const text = newSealingKey();
  const idHex = createHash("sha256").update(Buffer.from(text, "base64")).digest("hex").slice(0, 16);
  const kept = await escrowKey({ text, idHex }, options, cli.signal);
  // Of two runs, one writes the slot; whoever thought for long over the copy may have been overtaken.
  await client.sealing.begin({ from, to: idHex });
  await client.sealing.escrow({ key_id: idHex, ...kept });
  if (options.print) {
    cli.output.note(`For ${slot}: the key ${idHex}. Put it there, then run this command again.`);
    cli.output.raw(`${text}\n`);
    return null;
  }
  if (options.keyFile !== undefined) {
    await writeKey(options.keyFile, text);
    cli.output.note(
      `${options.keyFile} holds the key ${idHex} for ${slot}. Put it there, then run this command again.`,
    );
    return null;
  }
  cli.output.note(`Writing the key ${idHex} into ${slot} through wrangler.`);
  await putSecret(cli, slot, text);
  return idHex;
}

async function writeKey(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, `${text}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new UsageError(`cannot write ${file}: ${messageOf(error)}`);
  }
}

/** Waits until the Worker says, several times in a row, that it holds both keys: one that seals and one to come. */
async function deployed(cli: Cli, client: Client, idHex: string) {
  for (let asked = 0, inARow = 0; asked < seenWithinSeconds; asked++) {
    const { items } = await client.sealing.status();
    const key = items.find((item) => item.key_id === idHex);
    const isHeld = key !== undefined && key.slot !== null && items.some(({ state }) => state === "seals");
    inARow = isHeld ? inARow + 1 : 0;
    if (isHeld && inARow >= answersInARow) return key;
    await sleep(isHeld ? 200 : 1000, undefined, { signal: cli.signal });
  }
  throw new Failure(
    `the Worker does not show the key ${idHex} yet: look at signalbox sealing check, then run this again`,
  );
}
