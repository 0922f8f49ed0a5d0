/** `signalbox doctor`: what a deployment looks like from outside. */
import type { Command } from "commander";
import { baseUrlOf, type Cli, isLoopback, tokenFor } from "../context.ts";
import { diagnose } from "../doctor/doctor.ts";
import type { Finding } from "../doctor/finding.ts";
import { exitCodes, UsageError } from "../exit.ts";
import { wholeNumber } from "../options.ts";

export function addDoctorCommand(program: Command, cli: Cli): void {
  program
    .command("doctor")
    .description("look at a deployment from outside: HTTPS, TLS, HSTS, websockets, what is closed, health")
    .argument("[url]", "its address (default: as for every command)")
    .option("--http-port <port>", "where plain HTTP is looked for (default: 80 beside 443)", wholeNumber)
    .addHelpText(
      "after",
      "\nExits 1 where anything fails; a warning alone is no failure. NODE_EXTRA_CA_CERTS names a private CA.",
    )
    .action(async (given: string | undefined, options: { httpPort?: number }) => {
      const base = given === undefined ? new URL(await baseUrlOf(cli)) : parse(given);
      const httpPort = options.httpPort ?? (base.port === "" ? 80 : null);
      const findings = await diagnose({ base, token: await tokenIfAny(cli, base), httpPort });
      show(cli, findings);
      if (findings.some(({ verdict }) => verdict === "failure")) cli.setExitCode(exitCodes.failed);
    });
}

function parse(text: string): URL {
  const url = URL.parse(text);
  if (!url || !["http:", "https:"].includes(url.protocol)) throw new UsageError(`not an http or https URL: ${text}`);
  return new URL(url.origin);
}

/** Doctor works without a credential too; one that is named and cannot be read is an error all the same. */
async function tokenIfAny(cli: Cli, base: URL): Promise<string | null> {
  if (base.protocol === "http:" && !isLoopback(base)) return null;
  if (cli.globals().tokenFile === undefined && !cli.env.SIGNALBOX_TOKEN) return null;
  return (await tokenFor(cli, base.origin)).token;
}

function show(cli: Cli, findings: readonly Finding[]): void {
  if (cli.globals().json) {
    cli.output.json({ findings });
    return;
  }
  for (const { check, verdict, detail, remedy } of findings) {
    cli.output.line(`${verdict.padEnd(8)} ${check}: ${detail}`);
    if (remedy !== null) cli.output.line(`         ${remedy}`);
  }
}
