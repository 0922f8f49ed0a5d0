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
  readonly verdict: "goal" | "floor" | "under";
  readonly samples: readonly Sample[];
}

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

export function summarize({ compare, ...row }: Row, samples: readonly Sample[]): Result {
  const baselines = samples.flatMap(({ baseline }) => baseline ?? []);
  const value = median(samples.map((sample) => judged(sample, compare)));
  const meets = (bound: number) => (row.better === "higher" ? value >= bound : value <= bound);
  const isRatio = baselines.length > 0 && compare !== "difference";
  return {
    ...row,
    ours: median(samples.map(({ ours }) => ours)),
    baseline: baselines.length > 0 ? median(baselines) : null,
    ratio: baselines.length > 0 ? median(samples.map((sample) => judged(sample, "ratio"))) : null,
    ...(isRatio ? {} : { limit: row.floor }),
    verdict: meets(row.goal) ? "goal" : meets(row.floor) ? "floor" : "under",
    samples,
  };
}

/** One line a row: the ratio with its spread, then both sides. */
export function lineOf(result: Result, { compare }: Row): string {
  const { name, unit, ours, baseline, samples, goal, floor, verdict } = result;
  const values = samples.map((sample) => judged(sample, compare));
  const spread = `(${short(Math.min(...values))} to ${short(Math.max(...values))}, ${samples.length} samples)`;
  const what = baseline === null ? unit : compare === "difference" ? `${unit} over the baseline` : "of the baseline";
  const sides = baseline === null ? "" : `  ours ${short(ours)}, baseline ${short(baseline)} ${unit}`;
  const judgement = `  goal ${goal}, floor ${floor}: ${verdict === "under" ? "UNDER THE FLOOR" : `meets the ${verdict}`}`;
  return `${name}: ${short(median(values))} ${what} ${spread}${sides}${judgement}`;
}

function short(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toString() : value.toPrecision(3);
}
