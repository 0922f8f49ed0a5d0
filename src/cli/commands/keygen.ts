/** `signalbox keygen`: secrets for a deployment, printed to be piped into `wrangler secret put`. */
import { generateKeyPair, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { type Command, Option } from "commander";
import type { Cli } from "../context.ts";

/** What the Worker takes (src/worker/crypto/signing.ts). */
export const modulusBits = [2048, 3072, 4096] as const;

export function addKeygenCommands(program: Command, cli: Cli): void {
  const keygen = program.command("keygen").description("new secrets, for `wrangler secret put`");
  keygen
    .command("signing")
    .description("a private RSA key as JWK, for SIGNING_KEY_1 or SIGNING_KEY_2")
    .addOption(new Option("--bits <n>", "its length").choices(modulusBits.map(String)).default(String(modulusBits[0])))
    .action(async (options: { bits: string }) => {
      const jwk = await newSigningKey(Number(options.bits), Math.floor(Date.now() / 1000));
      if (cli.globals().json) cli.output.json(JSON.parse(jwk));
      else cli.output.line(jwk);
    });
  keygen
    .command("sealing")
    .description("32 random bytes in base64, for ACCESS_KEY_ENCRYPTION")
    .action(() => {
      if (cli.globals().json) cli.output.json({ sealing_key: newSealingKey() });
      else cli.output.line(newSealingKey());
    });
}

/** One line: a private RSA JWK (RFC 7517) with the member that says from when it signs. */
export async function newSigningKey(bits: number, activatesAt: number): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: bits, publicExponent: 0x10001 });
  return JSON.stringify({ ...privateKey.export({ format: "jwk" }), activates_at: activatesAt });
}

export function newSealingKey(): string {
  return randomBytes(32).toString("base64");
}
