/** `signalbox recover`: the keys of an export, opened here, without Cloudflare and without a server. */
import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { type Client, createClient } from "../../client/client.ts";
import { limits } from "../../protocol/limits.ts";
import { type Cli, messageOf, readInput, secureOrigin, tokenFor } from "../context.ts";
import { exitCodes, UsageError } from "../exit.ts";
import { collect } from "../options.ts";
import { parseRecoveryKey, type RecoveryKey } from "../recover/open-record.ts";
import { type RecoveredKey, readExport } from "../recover/read-export.ts";

interface Options {
  export: string;
  keyFile: string[];
  project?: string;
  key?: string;
  output?: string;
  report?: string;
}

export function addRecoverCommand(program: Command, cli: Cli): void {
  program
    .command("recover")
    .description("open the keys of a `wrangler d1 export` on this machine; lists them, secrets go to --output alone")
    .requiredOption("--export <file>", "the export: SQL text")
    .requiredOption("--key-file <file>", "a sealing key, as it was put; may be given several times", collect)
    .option("--project <name>", "this project's keys alone")
    .option("--key <name>", "the keys of this name alone")
    .option("--output <file>", "write the secrets into a new file as JSON, readable by you alone")
    .option("--report <url>", "then mark each key that opened as seen by you, at this server: it asks to replace it")
    .action(async (options: Options) => recover(cli, options));
}

async function recover(cli: Cli, options: Options): Promise<void> {
  // A report that could not be made is named before anything is opened.
  const server = options.report === undefined ? null : await serverAt(cli, options.report);
  const keys = await Promise.all(options.keyFile.map((file) => readKey(cli, file)));
  const found = readRows(await readInput(cli, options.export), options.export, keys).filter(
    ({ project, name }) => project === (options.project ?? project) && name === (options.key ?? name),
  );
  if (options.output !== undefined) await writeSecrets(options.output, found);
  show(cli, found);
  if (server !== null) await report(cli, server, found);
  const closed = found.filter(({ problem }) => problem !== null).length;
  cli.output.note(`${found.length - closed} of ${found.length} keys open.`);
  if (closed > 0 || found.length === 0) cli.setExitCode(exitCodes.failed);
}

async function serverAt(cli: Cli, url: string): Promise<Client> {
  const baseUrl = secureOrigin(url);
  const { token, source } = await tokenFor(cli, baseUrl);
  return createClient({ baseUrl, token, tokenSource: source, signal: cli.signal });
}

/** Behind what was written: an emergency does not wait for the server. Said again, it marks nothing twice. */
async function report(cli: Cli, client: Client, found: readonly RecoveredKey[]): Promise<void> {
  const seen = found
    .filter(({ secret }) => secret !== null)
    .map(({ id, secretVersion }) => ({ key_id: id, secret_version: secretVersion }));
  let [marked, replaced, unknown] = [0, 0, 0];
  for (let at = 0; at < seen.length; at += limits.keySightings) {
    const answer = await client.keys.markSeen({ sightings: seen.slice(at, at + limits.keySightings) });
    marked += answer.marked.length;
    replaced += answer.replaced.length;
    unknown += answer.unknown.length;
  }
  cli.output.note(`Reported: ${marked} to be replaced, ${replaced} replaced since, ${unknown} not known there.`);
}

async function readKey(cli: Cli, file: string): Promise<RecoveryKey> {
  const key = parseRecoveryKey(await readInput(cli, file));
  if (typeof key === "string") throw new UsageError(`${file} ${key}`);
  return key;
}

function readRows(sql: string, file: string, keys: readonly RecoveryKey[]): RecoveredKey[] {
  try {
    return readExport(sql, keys);
  } catch (error) {
    throw new UsageError(`${file} is no export of a Signalbox database: ${messageOf(error)}`);
  }
}

/** Never over a file that is there: its mode may let others read it. */
async function writeSecrets(file: string, found: readonly RecoveredKey[]): Promise<void> {
  const opened = found.filter(({ secret }) => secret !== null);
  const items = opened.map(({ id, project, name, secret }) => ({
    id,
    project,
    name,
    secret: JSON.parse(secret ?? ""),
  }));
  try {
    await writeFile(file, `${JSON.stringify(items, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new UsageError(`cannot write ${file}: ${messageOf(error)}`);
  }
}

function show(cli: Cli, found: readonly RecoveredKey[]): void {
  const rows = found.map(({ secret: _, secretVersion: _version, ...row }) => row);
  if (cli.globals().json) {
    cli.output.json({ items: rows });
    return;
  }
  const head = ["PROJECT", "NAME", "TYPE", "STATE"];
  cli.output.table(
    head,
    rows.map(({ project, name, type, problem }) => [project, name, type, problem ?? "opens"]),
  );
}
