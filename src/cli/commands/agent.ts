/** `signalbox agent`: run one here, list those that are connected, away with one. */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { abandonJobs, runAgent } from "../../agent/agent.ts";
import { fetchPresenting } from "../../agent/client-certificate.ts";
import type { Fetch } from "../../agent/http.ts";
import { all } from "../../client/client.ts";
import { type Cli, connect, readInput, readToken, secureOrigin } from "../context.ts";
import { exitCodes, UsageError } from "../exit.ts";

interface StartOptions {
  endpoint: string;
  name?: string;
  workDir?: string;
  singleJob?: boolean;
  certificate?: string;
  certificateKey?: string;
}

export function addAgentCommands(program: Command, cli: Cli): void {
  const agent = program.command("agent").description("agents: run one here, or list all");
  agent
    .command("start")
    .description("run an agent until it is stopped; its registration token is in --token-file")
    .requiredOption("--endpoint <url>", "the server's address")
    .option("--name <name>", "default: this host's, with a random end")
    .option("--work-dir <dir>", "where jobs run (default: a temporary folder, removed at the end)")
    .option("--single-job", "end after one job")
    .option("--certificate <file>", "client certificate to present to the server, PEM")
    .option("--certificate-key <file>", "the certificate's private key, PEM")
    .addHelpText("after", "\nCtrl-C lets a running job end first; a second one does not.")
    .action((options: StartOptions) => start(cli, options));
  agent
    .command("list")
    .description("all connected agents")
    .action(async () => {
      const { client } = await connect(cli);
      const agents = await all(client.agents.list);
      if (cli.globals().json) return cli.output.json(agents);
      const rows = agents.map((found) => [
        found.name,
        found.disconnected_at ? "gone" : found.state,
        found.version,
        `${found.os} ${found.arch}`,
        found.last_sync_at ?? "never",
        found.id,
      ]);
      cli.output.table(["NAME", "STATE", "VERSION", "PLATFORM", "LAST SYNC", "ID"], rows);
    });
  agent
    .command("disconnect")
    .description("end an agent that should not be: its token is dead, and the job that it has fails")
    .argument("<id>")
    .action(async (id: string) => {
      const { client } = await connect(cli);
      await client.agents.disconnect(id);
      if (cli.globals().json) cli.output.json({ disconnected: id });
      else cli.output.line(`disconnected ${id}`);
    });
}

async function start(cli: Cli, options: StartOptions): Promise<void> {
  refuseApiToken(cli);
  const file = cli.globals().tokenFile;
  if (file === undefined) throw new UsageError("--token-file FILE must hold a registration token");
  const { token } = await readToken(cli, file);
  const endpoint = secureOrigin(options.endpoint);
  const presenting = await certificateOf(cli, endpoint, options);
  const workDir = options.workDir ?? (await mkdtemp(join(tmpdir(), "signalbox-agent-")));
  const tidy = () => {
    if (options.workDir === undefined) rmSync(workDir, { recursive: true, force: true });
  };
  endAtOnceWhen(cli.signal, tidy);
  try {
    const reason = await runAgent({
      endpoint,
      token,
      name: options.name ?? defaultName(),
      workDir,
      singleJob: options.singleJob ?? false,
      signal: cli.signal,
      log: (line) => cli.output.note(line),
      ...presenting,
    });
    cli.output.note(`the agent ended: ${reason}`);
  } finally {
    tidy();
  }
}

async function certificateOf(
  cli: Cli,
  endpoint: string,
  { certificate, certificateKey }: StartOptions,
): Promise<{ fetch?: Fetch }> {
  if (certificate === undefined && certificateKey === undefined) return {};
  if (certificate === undefined || certificateKey === undefined) {
    throw new UsageError("--certificate and --certificate-key go together");
  }
  if (!endpoint.startsWith("https:")) throw new UsageError("a client certificate is presented over https alone");
  const [pem, key] = [await readInput(cli, certificate), await readInput(cli, certificateKey)];
  return { fetch: fetchPresenting({ certificate: pem, key }) };
}

/** Jobs run as the agent's user, who may read the environment that the agent was started with. */
function refuseApiToken(cli: Cli): void {
  if (!cli.env.SIGNALBOX_TOKEN) return;
  throw new UsageError(
    "SIGNALBOX_TOKEN is in the agent's environment, where its jobs could read it: start the agent without it",
  );
}

/** A second signal ends jobs and all; so does the death of the process that started this one with a channel. */
function endAtOnceWhen(interrupted: AbortSignal, tidy: () => void): void {
  const end = () => {
    abandonJobs();
    tidy();
    process.exit(exitCodes.interrupted);
  };
  if (process.connected) {
    process.once("disconnect", end);
    // Listening to it must not keep a finished agent alive.
    process.channel?.unref();
  }
  const arm = () => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, end);
  };
  if (interrupted.aborted) arm();
  else interrupted.addEventListener("abort", arm, { once: true });
}

/** Letters, digits and dashes of the host's name: the protocol takes few others. */
function defaultName(): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9]+/g, "-")
    .slice(0, 40);
  return `${host}-${crypto.randomUUID().slice(0, 8)}`;
}
