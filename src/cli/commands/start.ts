/** `signalbox start`, which `npm start` runs. */
import type { Command } from "commander";
import { type Cli, defaultPort } from "../context.ts";
import { UsageError } from "../exit.ts";
import { wholeNumber } from "../options.ts";
import { start } from "../start/start.ts";

const help = `
Makes local secrets, a database, a project, an agent and keys where they are absent, runs a first job and
shows its log. Everything lies in the data folder (--data, SIGNALBOX_DATA); nothing listens but on 127.0.0.1.

Environment:
  PORT                   as --port
  SIGNALBOX_DEMO_SECRET  what the first job prints and its log must not show (default: random)

Exit codes: 0 when it is stopped by Ctrl-C after the first job passed, or with --once when it passed;
1 when anything failed; 130 when it is stopped before that.`;

export function addStartCommand(program: Command, cli: Cli): void {
  program
    .command("start")
    .description("run Signalbox on this machine, with an agent and a first job")
    .option("--port <n>", `port on 127.0.0.1, 0 for any that is free (default: PORT, ${defaultPort})`, wholeNumber)
    .option("--once", "end after the first job, with exit code 0 only if all of it is done")
    .addHelpText("after", help)
    .action(async (options: { port?: number; once?: boolean }) => {
      await start(cli, { port: options.port ?? portFrom(cli.env.PORT), once: options.once ?? false });
    });
}

function portFrom(text: string | undefined): number {
  if (!text) return defaultPort;
  if (!/^\d{1,5}$/.test(text)) throw new UsageError(`PORT must be a number, and is ${text}`);
  return Number(text);
}
