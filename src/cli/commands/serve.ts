/** `signalbox serve`, which `npm run serve` runs. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { type Cli, repositoryRoot } from "../context.ts";
import { wholeNumber } from "../options.ts";
import { serve } from "../serve/serve.ts";

const help = `
Runs the Worker on this machine, on the runtime that Cloudflare runs, behind a reverse proxy of yours that encrypts:
docs/guides/behind-a-proxy.md. It listens on 127.0.0.1 alone. Everything lies in the data folder (--data,
SIGNALBOX_DATA; default: .signalbox-server beside package.json): secrets.env, storage, and with --organization the
first owner's API token. Without --issuer it serves plain HTTP on this machine alone, for trying it out.

Environment:
  ISSUER    as --issuer
  SETTINGS  operator settings as JSON (docs/architecture.md)

Exit codes: 0 when it is stopped by Ctrl-C or SIGTERM; 1 when it could not start or its runtime ended.`;

/** Seed of the port: the one that Semaphore UI has, so that its users' proxies need no change. */
const servePort = 3000;

export function addServeCommand(program: Command, cli: Cli): void {
  program
    .command("serve")
    .description("run Signalbox on this machine behind a reverse proxy of yours")
    .option("--issuer <url>", "the organization's URL, as the proxy is reached")
    .option("--port <n>", `port on 127.0.0.1, 0 for any that is free (default: ${servePort})`, wholeNumber)
    .option("--organization <name>", "let the first owner in, where there is none yet")
    .addHelpText("after", help)
    .action(async (options: { issuer?: string; port?: number; organization?: string }) => {
      const folder = cli.globals().data ?? (cli.env.SIGNALBOX_DATA || `${repositoryRoot}/.signalbox-server`);
      await serve(cli, {
        folder: resolve(folder),
        port: options.port ?? servePort,
        issuer: options.issuer ?? (cli.env.ISSUER || null),
        organization: options.organization ?? null,
        settings: cli.env.SETTINGS || "{}",
      });
    });
}
