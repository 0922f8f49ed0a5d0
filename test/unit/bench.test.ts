/** What the bench runner makes of its samples. */
import { describe, expect, it } from "vitest";
import { lineOf, median, summarize } from "../../bench/runner/summary.ts";

const row = { name: "append", unit: "events/s", better: "higher", goal: 0.9, floor: 0.8 } as const;

describe("a bench row", () => {
  it("is judged by the median of its pairs, not by the quotient of medians", () => {
    const samples = [
      { ours: 80, baseline: 100 },
      { ours: 190, baseline: 200 },
      { ours: 10, baseline: 100 },
    ];
    const result = summarize(row, samples);
    expect(result).toMatchObject({ ours: 80, baseline: 100, ratio: 0.8, verdict: "floor" });
    expect(summarize(row, [{ ours: 79, baseline: 100 }]).verdict).toBe("under");
    expect(summarize({ ...row, better: "lower", goal: 1.3, floor: 1.5 }, samples).verdict).toBe("goal");
    expect(lineOf(result, row)).toContain("0.800 of the baseline (0.100 to 0.950, 3 samples)");
  });

  it("without a baseline, or held to a difference, tells the limit it is held to", () => {
    const rows = { ...row, unit: "rows", better: "lower", goal: 3, floor: 5 } as const;
    expect(summarize(rows, [{ ours: 6, baseline: null }])).toMatchObject({
      baseline: null,
      ratio: null,
      limit: 5,
      verdict: "under",
    });
    const difference = { ...rows, compare: "difference" } as const;
    expect(summarize(difference, [{ ours: 104, baseline: 100 }])).toMatchObject({ limit: 5, verdict: "floor" });
  });

  it("takes the middle of an even number of samples", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});
