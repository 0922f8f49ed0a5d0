/** What the bench runner makes of its samples. */
import { describe, expect, it } from "vitest";
import { lineOf, median, spreadOf, summarize } from "../../bench/runner/summary.ts";

const row = { name: "append", unit: "events/s", better: "higher", goal: 0.9, floor: 0.8 } as const;

const ratios = (...values: number[]) => values.map((value) => ({ ours: value * 100, baseline: 100 }));

describe("a bench row", () => {
  it("tells the median of its pairs, and is judged by the unfavourable end of their spread", () => {
    const samples = ratios(0.85, 0.95, 0.79, 0.92, 0.91);
    const result = summarize(row, samples);
    expect(result).toMatchObject({ ours: 91, baseline: 100, ratio: 0.91, spread: [0.79, 0.95], verdict: "under" });
    expect(lineOf(result, row)).toContain("0.910 of the baseline (0.790 to 0.950, 5 pairs)");
    expect(summarize(row, ratios(0.85, 0.95, 0.8, 0.92, 0.91)).verdict).toBe("floor");
    expect(summarize(row, ratios(0.9, 0.95, 1, 0.92, 0.91)).verdict).toBe("goal");
    const lower = { ...row, better: "lower", goal: 1.3, floor: 1.5 } as const;
    expect(summarize(lower, ratios(1, 1.2, 1.3, 1, 1)).verdict).toBe("goal");
    expect(summarize(lower, ratios(1, 1, 1.51, 1, 1)).verdict).toBe("under");
  });

  it("gets no verdict from fewer than five pairs, however good they are", () => {
    const result = summarize(row, ratios(2, 2, 2, 2));
    expect(result.verdict).toBe("none");
    expect(lineOf(result, row)).toContain("no verdict");
  });

  it("leaves outermost pairs out of the spread only where enough others bound the median", () => {
    const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
    expect(spreadOf(upTo(5))).toEqual([1, 5]);
    expect(spreadOf(upTo(8))).toEqual([1, 8]);
    expect(spreadOf(upTo(9))).toEqual([2, 8]);
    expect(spreadOf(upTo(12))).toEqual([3, 10]);
  });

  it("without a baseline, or held to a difference, tells the limit it is held to", () => {
    const rows = { ...row, unit: "rows", better: "lower", goal: 3, floor: 5 } as const;
    const five = (ours: number, baseline: number | null) => Array.from({ length: 5 }, () => ({ ours, baseline }));
    expect(summarize(rows, five(6, null))).toMatchObject({ baseline: null, ratio: null, limit: 5, verdict: "under" });
    const difference = { ...rows, compare: "difference" } as const;
    expect(summarize(difference, five(104, 100))).toMatchObject({ limit: 5, verdict: "floor" });
  });

  it("takes the middle of an even number of samples", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});
