/** A sealing key is lost with its binding unless somebody keeps a copy: shown once, or encrypted to a recipient. */
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { Encrypter } from "age-encryption";
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

/** Returns once a copy is kept. @throws Failure where it is not; UsageError for a recipient or file that cannot be. */
export async function escrowKey(key: EscrowedKey, options: EscrowOptions, signal: AbortSignal): Promise<void> {
  if (!options.escrow) return;
  if (options.recipient !== undefined) return encryptTo(key, options.recipient, options.escrowFile);
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError("no terminal to show the key on: give --recipient and --escrow-file, or --no-escrow");
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    process.stderr.write(
      `The new sealing key, shown this once. Keep it where you keep such things:\n\n  ${key.text}\n\n`,
    );
    process.stderr.write(`Its id is ${key.idHex}.\n`);
    const typed = await prompt.question("Type the id once you have stored the key: ", { signal });
    if (typed.trim() !== key.idHex) throw new Failure("that is not its id: nothing was changed");
  } finally {
    prompt.close();
  }
}

async function encryptTo(key: EscrowedKey, recipient: string, file: string | undefined): Promise<void> {
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
}
