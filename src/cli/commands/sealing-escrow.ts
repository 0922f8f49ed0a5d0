/** `signalbox sealing escrow`: the end of a deployment's setup. A copy of the sealing key is kept, and that is remembered. */
import { parseEnv } from "node:util";
import type { Command } from "commander";
import { type SealingStatus, sealingSlots } from "../../protocol/sealing.ts";
import { type Cli, connect, readInput } from "../context.ts";
import { addEscrowOptions, type EscrowedKey, type EscrowOptions, escrowKey } from "../escrow.ts";
import { Failure, UsageError } from "../exit.ts";
import { parseRecoveryKey } from "../recover/open-record.ts";

interface Options extends EscrowOptions {
  readonly keyFile?: string;
}

export function addSealingEscrow(sealing: Command, cli: Cli): void {
  const command = sealing
    .command("escrow")
    .description("keep a copy of the sealing key: shown once for its id to be typed back, or encrypted to a recipient")
    .option(
      "--key-file <file>",
      "the sealing key as it was put, or the secrets.env of `npm run serve`; - for standard input",
    )
    .action(async (options: Options) => {
      const { client } = await connect(cli);
      const status = await client.sealing.status();
      const key = options.escrow ? await readKey(cli, options.keyFile, status) : { text: "", idHex: status.seals_with };
      const kept = await escrowKey(key, options, cli.signal);
      await client.sealing.escrow({ key_id: key.idHex, ...kept });
      if (cli.globals().json) cli.output.json({ key_id: key.idHex, ...kept });
      else
        cli.output.line(`${key.idHex}: ${keptWords[kept.how]}${kept.recipient === null ? "" : ` ${kept.recipient}`}`);
    });
  addEscrowOptions(command);
}

export const keptWords = { shown: "a person keeps it", recipient: "encrypted to", declined: "NO COPY KEPT" } as const;

/** The key of the file that the deployment knows; of several the one that seals. */
async function readKey(cli: Cli, file: string | undefined, { seals_with, items }: SealingStatus): Promise<EscrowedKey> {
  if (file === undefined) throw new UsageError("--key-file: say where the key is, or give --no-escrow");
  const keys = keysIn(await readInput(cli, file), file);
  const known = keys.filter(({ idHex }) => items.some(({ key_id }) => key_id === idHex));
  const key = known.find(({ idHex }) => idHex === seals_with) ?? known[0];
  if (key !== undefined) return key;
  const held = keys.map(({ idHex }) => idHex).join(", ");
  throw new Failure(`${file} holds the key ${held}, which this deployment does not know: it seals with ${seals_with}`);
}

function keysIn(text: string, file: string): EscrowedKey[] {
  const slots = parseEnv(text);
  const named = sealingSlots.flatMap((slot) => slots[slot] ?? []);
  return (named.length > 0 ? named : [text]).map((each) => {
    const key = parseRecoveryKey(each);
    if (typeof key === "string") throw new UsageError(`${file} ${key}`);
    return { text: each.trim(), idHex: key.idHex };
  });
}
