/** From the samples of one row to what is printed and written. Pure. */
import type { Row } from "./bench.ts";

/** One row of `--json`. `ours` and `baseline` are medians; without a baseline there is a `limit` instead. */
export interface Result {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly baseline: number | null;
  /** Ours over the baseline: the median of the pairs, not the quotient of the medians. Null without a baseline. */
  readonly ratio: number | null;
  readonly better: Row["better"];
  readonly goal: number;
  readonly floor: number;
  /** The floor, where it is one of `ours` itself. */
  readonly limit?: number;
  /** By the unfavourable end of `spread`: what the samples cannot rule out. "none": too few of them to tell. */
  readonly verdict: Verdict;
  /** Where the median of all pairs that could be measured lies, lowest and highest, in what goal and floor are about. */
  readonly spread: readonly [number, number];
  readonly samples: readonly Sample[];
}

export type Verdict = "goal" | "floor" | "under" | "none";

/** Fewer pairs tell nothing: their median may lie outside of all of them one time in eight, or worse. */
const fewestPairs = 5;

export interface Sample {
  readonly ours: number;
  readonly baseline: number | null;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** What goal and floor are about, for each pair. */
function judged({ ours, baseline }: Sample, compare: Row["compare"]): number {
  if (baseline === null) return ours;
  return compare === "difference" ? ours - baseline : ours / baseline;
}

/**
 * The interval of order statistics that holds the true median of what is sampled at least 15 times in 16, whatever
 * its distribution: all of five samples, nine without the outermost on either side, twelve without two.
 */
export function spreadOf(numbers: readonly number[]): [number, number] {
  const sorted = [...numbers].sort((a, b) => a - b);
  let outer = 0;
  // `outside`: the chance that at most `outer` samples lie on one side of the median, twice.
  let [ways, outside] = [1, 0];
  for (let below = 0; below < sorted.length / 2; below++) {
    outside += ways / 2 ** (sorted.length - 1);
    if (outside > 1 / 16) break;
    outer = below;
    ways = (ways * (sorted.length - below)) / (below + 1);
  }
  return [sorted[outer] ?? Number.NaN, sorted.at(-1 - outer) ?? Number.NaN];
}

function verdictOf(row: Row, [low, high]: readonly [number, number], pairs: number): Verdict {
  if (pairs < fewestPairs) return "none";
  const meets = (bound: number) => (row.better === "higher" ? low >= bound : high <= bound);
  if (meets(row.goal)) return "goal";
  return meets(row.floor) ? "floor" : "under";
}

export function summarize(row: Row, samples: readonly Sample[]): Result {
  const { compare, ...told } = row;
  const baselines = samples.flatMap(({ baseline }) => baseline ?? []);
  const spread = spreadOf(samples.map((sample) => judged(sample, compare)));
  const isRatio = baselines.length > 0 && compare !== "difference";
  return {
    ...told,
    ours: median(samples.map(({ ours }) => ours)),
    baseline: baselines.length > 0 ? median(baselines) : null,
    ratio: baselines.length > 0 ? median(samples.map((sample) => judged(sample, "ratio"))) : null,
    ...(isRatio ? {} : { limit: row.floor }),
    verdict: verdictOf(row, spread, samples.length),
    spread,
    samples,
  };
}

const verdictWords: Record<Verdict, string> = {
  goal: "meets the goal",
  floor: "meets the floor",
  under: "UNDER THE FLOOR",
  none: `no verdict from fewer than ${fewestPairs} pairs`,
};

/** One line a row: the median of the pairs with its spread, then both sides. */
export function lineOf(result: Result, { compare }: Row): string {
  const { name, unit, ours, baseline, samples, goal, floor, verdict } = result;
  const middle = median(samples.map((sample) => judged(sample, compare)));
  const spread = `(${result.spread.map(short).join(" to ")}, ${samples.length} pairs)`;
  const what = baseline === null ? unit : compare === "difference" ? `${unit} over the baseline` : "of the baseline";
  const sides = baseline === null ? "" : `  ours ${short(ours)}, baseline ${short(baseline)} ${unit}`;
  return `${name}: ${short(middle)} ${what} ${spread}${sides}  goal ${goal}, floor ${floor}: ${verdictWords[verdict]}`;
}

function short(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toString() : value.toPrecision(3);
}
