/**
 * What things cost against a baseline of the same run, in turns, as ratios with their spread.
 *
 *   npm run bench -- [--list] [--json FILE] [--pairs N] [NAME…]
 *
 * Each file in bench/ exports `benches` (bench.ts). Exits with 1 where a row is under its floor.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Bench } from "./bench.ts";
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
async function measure(bench: Bench, pairs: number): Promise<Sample[][]> {
  const { ours, baseline, close } = await bench.open();
  const samples: Sample[][] = bench.rows.map(() => []);
  try {
    for (let round = 0; round <= pairs; round++) {
      const first = round % 2 === 1 ? await baseline?.(round) : undefined;
      const mine = await ours(round);
      const other = first ?? (await baseline?.(round));
      // The first pair warms the runtime up.
      if (round === 0) continue;
      for (const [at, each] of samples.entries()) {
        each.push({ ours: mine[at] ?? Number.NaN, baseline: other === undefined ? null : (other[at] ?? Number.NaN) });
      }
    }
    return samples;
  } finally {
    await close();
  }
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
    process.stdout.write(`${lineOf(result, row)}\n`);
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
process.exitCode = results.some(({ verdict }) => verdict === "under") ? 1 : 0;
