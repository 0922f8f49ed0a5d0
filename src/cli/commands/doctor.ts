/** `signalbox doctor`: what a deployment looks like from outside. */
import { type Command, InvalidArgumentError } from "commander";
import { baseUrlOf, type Cli, isLoopback, tokenFor } from "../context.ts";
import { diagnose } from "../doctor/doctor.ts";
import type { Endpoint } from "../doctor/exchange.ts";
import type { Finding } from "../doctor/finding.ts";
import { exitCodes, UsageError } from "../exit.ts";
import { wholeNumber } from "../options.ts";

interface Options {
  httpPort?: number;
  connectTo?: Endpoint;
  proveAddresses?: boolean;
}

export function addDoctorCommand(program: Command, cli: Cli): void {
  program
    .command("doctor")
    .description("look at a deployment from outside: HTTPS, TLS, HSTS, websockets, what is closed, health")
    .argument("[url]", "its address (default: as for every command)")
    .option("--http-port <port>", "where plain HTTP is looked for (default: 80 beside 443)", wholeNumber)
    .option("--connect-to <host:port>", "connect there, for a name that does not lead there yet", endpoint)
    .option("--prove-addresses", "show that no forged address comes through the proxy; takes an owner's token")
    .addHelpText(
      "after",
      "\nExits 1 where anything fails; a warning alone is no failure. NODE_EXTRA_CA_CERTS names a private CA.",
    )
    .action(async (given: string | undefined, options: Options) => {
      const base = given === undefined ? new URL(await baseUrlOf(cli)) : parse(given);
      const { connectTo, proveAddresses: provesAddresses = false } = options;
      const httpPort = options.httpPort ?? (base.port === "" ? 80 : null);
      const token = await tokenIfAny(cli, base);
      if (provesAddresses && token === null && mayCarryToken(base))
        throw new UsageError("--prove-addresses takes an owner's token: --token-file FILE, or SIGNALBOX_TOKEN");
      const findings = await diagnose({ base, token, httpPort, connectTo, provesAddresses });
      show(cli, findings);
      if (findings.some(({ verdict }) => verdict === "failure")) cli.setExitCode(exitCodes.failed);
    });
}

function endpoint(text: string): Endpoint {
  const [, host, port] = /^\[?([^\s[\]/]+?)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined) throw new InvalidArgumentError("It must have the form host:port.");
  return { host, port: Number(port) };
}

function parse(text: string): URL {
  const url = URL.parse(text);
  if (!url || !["http:", "https:"].includes(url.protocol)) throw new UsageError(`not an http or https URL: ${text}`);
  return new URL(url.origin);
}

function mayCarryToken(base: URL): boolean {
  return base.protocol === "https:" || isLoopback(base);
}

/** Doctor works without a credential too; one that is named and cannot be read is an error all the same. */
async function tokenIfAny(cli: Cli, base: URL): Promise<string | null> {
  if (!mayCarryToken(base)) return null;
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
