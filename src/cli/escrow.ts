/** A sealing key is lost with its binding unless somebody keeps a copy: shown once, or encrypted to a recipient. */
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { Encrypter } from "age-encryption";
import type { Command } from "commander";
import type { SealingEscrow } from "../protocol/sealing.ts";
import { messageOf } from "./context.ts";
import { Failure, UsageError } from "./exit.ts";

export interface EscrowOptions {
  /** False: the operator keeps no copy, and says so. */
  readonly escrow: boolean;
  /** An age recipient, and the file for what is encrypted to it. */
  readonly recipient?: string;
  readonly escrowFile?: string;
}

export interface EscrowedKey {
  readonly text: string;
  readonly idHex: string;
}

/** How the copy is kept, as the server remembers it. */
export type Kept = Pick<SealingEscrow, "how" | "recipient">;

/** A person at a terminal. */
export interface Terminal {
  readonly isThere: boolean;
  show(text: string): void;
  ask(question: string, signal: AbortSignal): Promise<string>;
}

const terminal: Terminal = {
  get isThere() {
    return process.stdin.isTTY === true && process.stderr.isTTY === true;
  },
  show: (text) => void process.stderr.write(text),
  async ask(question, signal) {
    const prompt = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await prompt.question(question, { signal });
    } finally {
      prompt.close();
    }
  },
};

export function addEscrowOptions(command: Command): Command {
  return command
    .option("--recipient <age1…>", "keep the copy encrypted to this age recipient, in --escrow-file")
    .option("--escrow-file <file>", "a new file for the encrypted copy")
    .option("--no-escrow", "keep no copy: what is sealed is lost with the binding");
}

/** Returns once a copy is kept. @throws Failure where it is not; UsageError for a recipient or file that cannot be. */
export async function escrowKey(
  key: EscrowedKey,
  options: EscrowOptions,
  signal: AbortSignal,
  person: Terminal = terminal,
): Promise<Kept> {
  if (!options.escrow) return { how: "declined", recipient: null };
  if (options.recipient !== undefined) return encryptTo(key, options.recipient, options.escrowFile);
  if (!person.isThere) {
    throw new UsageError("no terminal to show the key on: give --recipient and --escrow-file, or --no-escrow");
  }
  person.show(`The sealing key, shown this once. Keep it where you keep such things:\n\n  ${key.text}\n\n`);
  person.show(`Its id is ${key.idHex}.\n`);
  const typed = await person.ask("Type the id once you have stored the key: ", signal);
  if (typed.trim() !== key.idHex) throw new Failure("that is not its id: nothing was changed");
  return { how: "shown", recipient: null };
}

async function encryptTo(key: EscrowedKey, recipient: string, file: string | undefined): Promise<Kept> {
  if (file === undefined) throw new UsageError("--recipient: needs --escrow-file FILE for what is encrypted to it");
  const encrypter = new Encrypter();
  try {
    encrypter.addRecipient(recipient);
  } catch {
    throw new UsageError("--recipient: is no age recipient (age1…)");
  }
  try {
    await writeFile(file, await encrypter.encrypt(`${key.text}\n`), { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new UsageError(`cannot write ${file}: ${messageOf(error)}`);
  }
  return { how: "recipient", recipient };
}
