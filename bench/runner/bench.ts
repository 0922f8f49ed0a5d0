/**
 * What a file in bench/ exports: `benches`, each a pair to be measured in turns, in one process tree.
 *
 *   export const benches: readonly Bench[] = [{
 *     rows: [{ name: "seal", unit: "operations/s", better: "higher", goal: 0.9, floor: 0.8 }],
 *     async open() {
 *       const worker = await startBenchWorker("bench/NAME-worker/wrangler.toml");
 *       const rate = async (path: string) => Number(await (await fetch(new URL(path, worker.url))).text());
 *       return { ours: async () => [await rate("/ours")], baseline: async () => [await rate("/baseline")], close: worker.close };
 *     },
 *   }];
 *
 * Code that must run inside a Worker (crypto, a Durable Object) goes in a Worker of the bench's own, in
 * bench/NAME-worker; ours and the baseline in the same one. A Worker's clock stands still while it computes, so time
 * is taken on this side: let one request do thousands of operations, and divide.
 */

export interface Row {
  /** Unique over all files; `npm run bench -- NAME…` runs the rows whose name holds one of these words. */
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** Of the ratio; of `ours` itself, in `unit`, where there is no baseline or `compare` is "difference". */
  readonly goal: number;
  readonly floor: number;
  /** How ours is held against the baseline; "ratio" if not told. */
  readonly compare?: "ratio" | "difference";
}

export interface Bench {
  /** What one measurement yields: a number for each, in this order. */
  readonly rows: readonly Row[];
  /** Pairs that count: five if not told, and no fewer: they would give no verdict. One more warms up before them. */
  readonly pairs?: number;
  open(): Promise<Measurement>;
}

export type Measure = (round: number) => Promise<readonly number[]>;

interface Closable {
  close(): Promise<void>;
}

interface InTurn extends Closable {
  readonly ours: Measure;
  /** Null: there is nothing to compare with, and the row is held to a limit. */
  readonly baseline: Measure | null;
}

/** Where a moment's noise would decide, as in a 99th percentile: both sides step by step in one measurement. */
interface Together extends Closable {
  readonly both: (round: number) => Promise<{ ours: readonly number[]; baseline: readonly number[] }>;
}

export type Measurement = InTurn | Together;
