/**
 * What every command needs: the server's address, a credential, somewhere to write, and the signal of Ctrl-C.
 * Credentials come from a file or the environment, never from the command line, where `ps` shows them.
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Client, createClient } from "../client/client.ts";
import { parseJson } from "../client/errors.ts";
import { UsageError } from "./exit.ts";
import type { Output } from "./output.ts";

export const repositoryRoot = resolve(import.meta.dirname, "../..");
export const defaultPort = 8787;

/** Names in the data folder of `signalbox start` that other commands read. */
export const ownerTokenFile = "owner-token";
export const baseUrlFile = "url";

/** The options that every command takes. */
export interface Globals {
  url?: string;
  tokenFile?: string;
  data?: string;
  json?: boolean;
}

export interface Cli {
  readonly output: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** The command line's global options; known once it is parsed. */
  globals(): Globals;
  readStdin(): Promise<string>;
  setExitCode(code: number): void;
}

export interface Connection {
  client: Client;
  baseUrl: string;
  token: string;
}

export function dataFolder(cli: Cli): string {
  return resolve(cli.globals().data ?? (cli.env.SIGNALBOX_DATA || join(repositoryRoot, ".signalbox")));
}

export async function connect(cli: Cli): Promise<Connection> {
  const baseUrl = await baseUrlOf(cli);
  const { token, source } = await tokenFor(cli, baseUrl);
  return { client: createClient({ baseUrl, token, tokenSource: source, signal: cli.signal }), baseUrl, token };
}

/** `--url`, SIGNALBOX_URL, the address that `signalbox start` left, or its default one. */
export async function baseUrlOf(cli: Cli): Promise<string> {
  const given = cli.globals().url ?? cli.env.SIGNALBOX_URL;
  const left = given || (await readIfThere(join(dataFolder(cli), baseUrlFile)));
  return secureOrigin(left?.trim() || `http://127.0.0.1:${defaultPort}`);
}

/** The origin of an address that a credential may be sent to. */
export function secureOrigin(text: string): string {
  const url = URL.parse(text);
  if (!url || !["http:", "https:"].includes(url.protocol)) throw new UsageError(`not an http or https URL: ${text}`);
  if (url.protocol === "http:" && !isLoopback(url)) {
    throw new UsageError(`${url.origin} would carry the token in clear: use https`);
  }
  return url.origin;
}

/** Where it came from goes into messages; the token itself never does. */
export interface SourcedToken {
  token: string;
  source: string;
}

/** A token from a file, or from standard input for `-`. */
export async function readToken(cli: Cli, file: string): Promise<SourcedToken> {
  return oneLine(await readInput(cli, file), file === "-" ? "standard input" : file);
}

export async function tokenFor(cli: Cli, baseUrl: string): Promise<SourcedToken> {
  const file = cli.globals().tokenFile;
  if (file !== undefined) return await readToken(cli, file);
  const fromEnv = cli.env.SIGNALBOX_TOKEN;
  if (fromEnv) return oneLine(fromEnv, "SIGNALBOX_TOKEN");
  const path = join(dataFolder(cli), ownerTokenFile);
  // The local owner's token belongs to the local server: it is not sent to any other.
  const local = isLoopback(new URL(baseUrl)) ? await readIfThere(path) : undefined;
  if (local !== undefined) return oneLine(local, path);
  throw new UsageError("no API token: set SIGNALBOX_TOKEN, give --token-file FILE, or run `npm start` first");
}

/** A file's text, or standard input's for `-`. */
export async function readInput(cli: Cli, path: string): Promise<string> {
  if (path === "-") return await cli.readStdin();
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${messageOf(error)}`);
  }
}

/** A secret from a file: its last newline is the editor's, not the secret's. */
export async function readSecret(cli: Cli, path: string): Promise<string> {
  return (await readInput(cli, path)).replace(/\r?\n$/, "");
}

export async function readJson(cli: Cli, path: string): Promise<unknown> {
  const json = parseJson(await readInput(cli, path));
  if (json === undefined) throw new UsageError(`${path === "-" ? "standard input" : path} holds no JSON`);
  return json;
}

export function isLoopback(url: URL): boolean {
  return url.hostname === "localhost" || url.hostname === "[::1]" || /^127(\.\d+){3}$/.test(url.hostname);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new UsageError(`cannot read ${path}: ${messageOf(error)}`);
  }
}

/** A token as a header can hold it. */
export function oneLine(text: string, source: string): SourcedToken {
  const token = text.trim();
  // A header cannot hold anything else, and the reason would not name the file.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError(`${source} does not hold a token on one line`);
  return { token, source };
}
