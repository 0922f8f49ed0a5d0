/**
 * What things cost against a baseline of the same run, in turns, as ratios with their spread.
 *
 * `npm run bench -- --help` tells how to ask. Each file in bench/ exports `benches` (bench.ts).
 */
import { readdirSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import type { Bench, Measurement } from "./bench.ts";
import { lineOf, type Result, type Sample, summarize } from "./summary.ts";

const folder = join(import.meta.dirname, "..");
const usualPairs = 5;

async function findBenches(words: readonly string[]): Promise<Bench[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  const modules = await Promise.all(files.sort().map((name) => import(join(folder, name))));
  const all = modules.flatMap(({ benches }: { benches: readonly Bench[] }) => benches);
  const isMeant = (name: string) => words.length === 0 || words.some((word) => name.includes(word));
  return all.filter(({ rows }) => rows.some(({ name }) => isMeant(name)));
}

/** Who goes first changes from pair to pair, so that what drifts with time favours neither. */
async function pairOf(measurement: Measurement, round: number) {
  if ("both" in measurement) return measurement.both(round);
  const first = round % 2 === 1 ? await measurement.baseline?.(round) : undefined;
  const ours = await measurement.ours(round);
  return { ours, baseline: first ?? (await measurement.baseline?.(round)) };
}

async function measure(bench: Bench, pairs: number): Promise<Sample[][]> {
  const measurement = await bench.open();
  const samples: Sample[][] = bench.rows.map(() => []);
  try {
    for (let round = 0; round <= pairs; round++) {
      const { ours, baseline } = await pairOf(measurement, round);
      // The first pair warms the runtime up.
      if (round === 0) continue;
      for (const [at, each] of samples.entries()) {
        each.push({
          ours: ours[at] ?? Number.NaN,
          baseline: baseline === undefined ? null : (baseline[at] ?? Number.NaN),
        });
      }
    }
    return samples;
  } finally {
    await measurement.close();
  }
}

/** What else ran on the machine: processes that wanted a processor, of the last minute, and how many processors. */
function load(): string {
  return `load ${(loadavg()[0] ?? 0).toFixed(1)} on ${availableParallelism()} processors`;
}

interface Options {
  list?: boolean;
  json?: string;
  pairs?: number;
}

async function run(names: string[], { list, json, pairs }: Options, command: Command): Promise<void> {
  const benches = await findBenches(names);
  if (benches.length === 0) command.error(`no row is named like that: ${names.join(", ")}`);
  if (list) {
    const rows = benches.flatMap((bench) => bench.rows);
    process.stdout.write(rows.map(({ name, unit }) => `${name} (${unit})\n`).join(""));
    return;
  }
  const results: Result[] = [];
  for (const bench of benches) {
    results.push(...(await resultsOf(bench, pairs)));
    // After each, so that a run that is cut off leaves what it measured.
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
  }
  if (results.some(({ verdict }) => verdict === "under")) process.exitCode = 1;
}

/** One that fails is told, and keeps the others from nothing. */
async function resultsOf(bench: Bench, pairs: number | undefined): Promise<Result[]> {
  try {
    const samples = await measure(bench, pairs ?? bench.pairs ?? usualPairs);
    const results = bench.rows.map((row, at) => summarize(row, samples[at] ?? []));
    for (const [at, row] of bench.rows.entries()) {
      const result = results[at];
      if (result !== undefined) process.stdout.write(`${lineOf(result, row)}, ${load()}\n`);
    }
    return results;
  } catch (error) {
    process.exitCode = 1;
    const names = bench.rows.map(({ name }) => name).join(", ");
    process.stderr.write(`${names}: not measured: ${error instanceof Error ? error.message : "unknown"}\n`);
    return [];
  }
}

function count(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError("takes a number from 1 on");
  return Number(text);
}

await new Command("npm run bench --")
  .description("what things cost against a baseline of the same run, in turns, as ratios with their spread")
  .argument("[name...]", "rows whose name holds one of these words (default: all)")
  .option("--list", "name the rows, measure nothing")
  .option("--pairs <n>", "pairs that count of each row; fewer than five give no verdict", count)
  .option("--json <file>", "write [{name, unit, ours, baseline, ratio, better, samples, …}] there")
  .addHelpText("after", "\nExits with 1 where a row is under its floor, by the unfavourable end of its spread.")
  // As of the command line of the product: 2 where the command is wrong.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .action(run)
  .parseAsync();
