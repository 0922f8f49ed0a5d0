/**
 * What things cost against a baseline of the same run, in turns, as ratios with their spread.
 *
 *   npm run bench -- [--list] [--json FILE] [--pairs N] [NAME…]
 *
 * Each file in bench/ exports `benches` (bench.ts). Exits with 1 where a row is under its floor, judged by
 * the unfavourable end of its spread; fewer than five pairs give no verdict.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
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

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "string" }, pairs: { type: "string" }, list: { type: "boolean" } },
});
const benches = await findBenches(positionals);
if (values.list) {
  process.stdout.write(benches.flatMap(({ rows }) => rows.map(({ name, unit }) => `${name} (${unit})\n`)).join(""));
  process.exit();
}
if (benches.length === 0) throw new Error(`no row is named like that: ${positionals.join(", ")}`);

const results: Result[] = [];
for (const bench of benches) {
  const pairs = Math.max(1, Number(values.pairs ?? bench.pairs ?? usualPairs) || usualPairs);
  const samples = await measure(bench, pairs);
  for (const [at, row] of bench.rows.entries()) {
    const result = summarize(row, samples[at] ?? []);
    results.push(result);
    process.stdout.write(`${lineOf(result, row)}, ${load()}\n`);
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
process.exitCode = results.some(({ verdict }) => verdict === "under") ? 1 : 0;
