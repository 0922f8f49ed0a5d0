/**
 * `npm run serve`: the Worker on a machine of one's own, for a reverse proxy that encrypts to stand in front. It
 * listens on loopback alone and keeps everything in one private folder.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "../../client/client.ts";
import { type Cli, isLoopback } from "../context.ts";
import { Failure, UsageError } from "../exit.ts";
import { interruption } from "../interruption.ts";
import { childEnvironment } from "../start/child.ts";
import { type DataFolder, openDataFolder, writePrivate } from "../start/data-folder.ts";
import { freePort } from "../start/port.ts";
import { loadSecrets, type Secrets } from "../start/secrets.ts";
import { ownerToken } from "../start/setup.ts";
import { bundleInto, readWorkerToml } from "./bundle.ts";
import { migrate } from "./migrate.ts";
import { type Runtime, startRuntime } from "./runtime.ts";
import { migratorConfig, serverConfig, type WorkerToml } from "./workerd-config.ts";

export interface ServeOptions {
  readonly folder: string;
  readonly port: number;
  /** The organization's URL, as the proxy is reached; null: this machine's own, unencrypted, for trying it out. */
  readonly issuer: string | null;
  /** Lets the first owner in, under this name, where the folder keeps no owner's token yet. */
  readonly organization: string | null;
  /** Operator settings as JSON. */
  readonly settings: string;
}

/** What is under way when it is to stop gets so long; the service manager's own patience must be longer. */
const patienceMs = 10_000;

export async function serve(cli: Cli, options: ServeOptions): Promise<void> {
  const issuer = options.issuer === null ? null : readIssuer(options.issuer);
  const port = await freePort(options.port);
  const folder = await openDataFolder(options.folder);
  try {
    await run(cli, { ...options, port, folder, issuer: issuer ?? `http://127.0.0.1:${port}` });
  } finally {
    folder.release();
  }
}

interface Serving extends Omit<ServeOptions, "folder"> {
  readonly folder: DataFolder;
  readonly issuer: string;
}

async function run(cli: Cli, serving: Serving): Promise<void> {
  const { folder, port } = serving;
  const say = (text: string) => cli.output.line(text);
  const { secrets, made } = await loadSecrets(folder.secrets);
  if (made)
    say(`made secrets in ${folder.secrets}: keep a copy of ACCESS_KEY_ENCRYPTION elsewhere (signalbox sealing escrow)`);
  const files = await prepare(cli, serving, secrets);
  const applied = await migrate(files.migrator, files.socket, files.env);
  say(applied.length === 0 ? "the database is up to date" : `the database got ${applied.join(", ")}`);
  const runtime = await startRuntime(files.server, { ...files.env, ...secrets });
  try {
    const baseUrl = `http://127.0.0.1:${port}`;
    await Promise.race([admit(cli, serving, secrets, baseUrl), unexpectedEnd(runtime)]);
    await writePrivate(folder.baseUrl, `${baseUrl}\n`);
    say(`Signalbox answers on ${baseUrl} for ${serving.issuer}`);
    await Promise.race([interruption(cli.signal), unexpectedEnd(runtime)]);
    say("stopping");
  } finally {
    await runtime.stop(patienceMs);
  }
}

/** Everything that workerd reads, in the folder; no file of it holds a secret. */
async function prepare(cli: Cli, serving: Serving, secrets: Secrets) {
  const { folder, issuer, port, settings } = serving;
  const toml = readWorkerToml();
  const site = join(folder.path, "server");
  const storage = join(folder.path, "storage");
  for (const path of [site, storage]) await mkdir(path, { recursive: true, mode: 0o700 });
  const env = { ...childEnvironment(cli.env), WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: join(site, "logs") };
  await bundleInto(site, toml, env);
  const files = { server: join(site, "server.capnp"), migrator: join(site, "migrator.capnp") };
  const socket = join(site, "migrator.sock");
  const vars = { ISSUER: issuer, SETTINGS: settings, TRUST_PROXY: isLoopback(new URL(issuer)) ? "off" : "on" };
  await writePrivate(files.server, serverText(toml, { storage, port, vars, secrets }));
  const migrator = migratorConfig(toml, { bundle: "migrator.js", storage, address: `unix:${socket}` });
  await writePrivate(files.migrator, migrator);
  return { ...files, socket, env };
}

function serverText(
  toml: WorkerToml,
  site: { storage: string; port: number; vars: Record<string, string>; secrets: Secrets },
): string {
  return serverConfig(toml, {
    bundle: "worker.js",
    storage: site.storage,
    address: `127.0.0.1:${site.port}`,
    vars: site.vars,
    secretNames: Object.keys(site.secrets),
  });
}

/** Healthy, or the Worker's own word on why not; and the first owner, where one is wished for. */
async function admit(cli: Cli, { folder, organization }: Serving, secrets: Secrets, baseUrl: string): Promise<void> {
  const { problems } = await createClient({ baseUrl, signal: cli.signal }).health();
  for (const { binding, detail } of problems) throw new Failure(`the Worker cannot use ${binding}, which ${detail}`);
  if (organization === null) return;
  const owner = { organization, tokenName: "serve" };
  await ownerToken(folder, secrets, { baseUrl, signal: cli.signal, owner });
  cli.output.line(`the owner's API token is in ${folder.ownerToken}`);
}

/** The origin that is in every token. @throws UsageError */
function readIssuer(text: string): string {
  const url = URL.parse(text);
  if (url === null || url.origin !== text || (url.protocol !== "https:" && !isLoopback(url))) {
    throw new UsageError(`--issuer must be an origin such as https://ci.example.com, with no path or slash: ${text}`);
  }
  return text;
}

async function unexpectedEnd(runtime: Runtime): Promise<never> {
  throw new Failure(`the runtime ended unexpectedly (${await runtime.ended})`);
}
