/** What a job does, put together from the command line and from a file. */
import { readFile, stat } from "node:fs/promises";
import { JobSpec } from "../../protocol/jobs.ts";
import { misfitLine, parse } from "../../protocol/parse.ts";
import { type Cli, messageOf, readJson, readSecret } from "../context.ts";
import { UsageError } from "../exit.ts";
import type { Pair } from "../options.ts";

export interface SpecOptions {
  spec?: string;
  command?: string[];
  env?: Pair[];
  secretEnv?: Pair[];
  key?: string[];
  file?: Pair[];
}

export async function jobSpecOf(cli: Cli, words: readonly string[], options: SpecOptions): Promise<JobSpec> {
  const base = options.spec === undefined ? {} : asObject(await readJson(cli, options.spec));
  const commands = [...(options.command ?? []), ...commandOf(words)];
  const spec = {
    ...base,
    commands: [...listOf(base.commands), ...commands],
    env: [...listOf(base.env), ...plainEnv(options), ...(await secretEnv(cli, options))],
    keys: [...listOf(base.keys), ...(options.key ?? []).map((key) => ({ key }))],
    files: [...listOf(base.files), ...(await Promise.all((options.file ?? []).map(fileOf)))],
  };
  if (spec.commands.length === 0) throw new UsageError("no command: give one after --, with --command, or in --spec");
  const parsed = parse(JobSpec, spec);
  if (parsed.success) return parsed.data;
  const lines = parsed.misfits.map((misfit) => `  ${misfitLine(misfit, "the whole")}`);
  throw new UsageError(`not a job specification:\n${lines.join("\n")}`);
}

/** One word is shell text as it stands; several are one command, each word kept whole. */
function commandOf(words: readonly string[]): string[] {
  const [only, ...more] = words;
  if (only === undefined) return [];
  return [more.length === 0 ? only : words.map(quoted).join(" ")];
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function plainEnv(options: SpecOptions) {
  return (options.env ?? []).map(([name, value]) => ({ name, value }));
}

async function secretEnv(cli: Cli, options: SpecOptions) {
  const vars = [];
  for (const [name, file] of options.secretEnv ?? []) {
    vars.push({ name, value: await readSecret(cli, file), secret: true });
  }
  return vars;
}

async function fileOf([local, path]: Pair) {
  try {
    const content = (await readFile(local)).toString("base64");
    const executable = ((await stat(local)).mode & 0o100) !== 0;
    return { path, content, mode: executable ? "0755" : "0644" };
  } catch (error) {
    throw new UsageError(`cannot read ${local}: ${messageOf(error)}`);
  }
}

function asObject(json: unknown): Record<string, unknown> {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return { ...json };
  throw new UsageError("--spec must hold a JSON object");
}

/** A list where one may stand; anything else stays as it is, for the schema to refuse by name. */
function listOf(value: unknown): unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
