/** `signalbox keygen`: secrets for a deployment, printed to be piped into `wrangler secret put`. */
import { generateKeyPair, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import type { Command } from "commander";
import type { Cli } from "../context.ts";
import { UsageError } from "../exit.ts";
import { wholeNumber } from "../options.ts";

export function addKeygenCommands(program: Command, cli: Cli): void {
  const keygen = program.command("keygen").description("new secrets, for `wrangler secret put`");
  keygen
    .command("signing")
    .description("a private RSA key as JWK, for SIGNING_KEY_1 or SIGNING_KEY_2")
    .option("--bits <n>", "its length", wholeNumber, 2048)
    .action(async (options: { bits: number }) => {
      cli.output.line(await newSigningKey(options.bits, Math.floor(Date.now() / 1000)));
    });
  keygen
    .command("sealing")
    .description("32 random bytes in base64, for ACCESS_KEY_ENCRYPTION")
    .action(() => cli.output.line(newSealingKey()));
}

/** One line: a private RSA JWK (RFC 7517) with the member that says from when it signs. */
export async function newSigningKey(bits: number, activatesAt: number): Promise<string> {
  if (bits < 2048 || bits > 8192) throw new UsageError("--bits must be from 2048 to 8192");
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: bits, publicExponent: 0x10001 });
  return JSON.stringify({ ...privateKey.export({ format: "jwk" }), activates_at: activatesAt });
}

export function newSealingKey(): string {
  return randomBytes(32).toString("base64");
}
