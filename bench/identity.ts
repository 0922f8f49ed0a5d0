/** What an identity token costs beyond its RS256 signature, without and with the rows of its mint. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import type { Bench, Measurement } from "./runner/bench.ts";
import { startBenchWorker } from "./runner/bench-worker.ts";
import { median } from "./runner/summary.ts";

/** Short turns, so that a moment's noise falls on both alike. */
const turns = 16;
const signaturesPerTurn = 100;
/** No more than a job may have. */
const recordsPerTurn = 60;

function openWorker() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return startBenchWorker("bench/identity-worker/wrangler.toml", {
    ISSUER: "http://127.0.0.1:8787",
    ACCESS_KEY_ENCRYPTION: randomBytes(32).toString("base64"),
    SIGNING_KEY_1: JSON.stringify({ ...privateKey.export({ format: "jwk" }), activates_at: 0 }),
  });
}

async function repeat(url: URL, name: string, count: number): Promise<number> {
  const started = performance.now();
  const { ok, status } = await fetch(new URL(`/bench/${name}?count=${count}`, url));
  if (!ok) throw new Error(`${name} answered ${status}`);
  return (count * 1000) / (performance.now() - started);
}

/** Rates of both. */
async function inTurns(
  names: readonly [ours: string, baseline: string],
  rate: (name: string) => Promise<number>,
): Promise<{ ours: number[]; baseline: number[] }> {
  const [ours, baseline]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < turns; turn++) {
    // Who goes first changes too.
    for (const isOurs of turn % 2 === 0 ? [true, false] : [false, true]) {
      (isOurs ? ours : baseline).push(await rate(names[isOurs ? 0 : 1]));
    }
  }
  return { ours: [median(ours)], baseline: [median(baseline)] };
}

async function openSigning(): Promise<Measurement> {
  const { url, close } = await openWorker();
  return { both: () => inTurns(["mint", "sign"], (name) => repeat(url, name, signaturesPerTurn)), close };
}

async function openRecording(): Promise<Measurement> {
  const { url, close, migrate } = await openWorker();
  await migrate("DB");
  await repeat(url, "seed", 1);
  const rate = async (name: string) => {
    await repeat(url, "clear", 1);
    return repeat(url, name, recordsPerTurn);
  };
  return { both: () => inTurns(["record", "insert"], rate), close };
}

export const benches: readonly Bench[] = [
  {
    rows: [{ name: "identity: claims and signature", unit: "tokens/s", better: "higher", goal: 0.95, floor: 0.9 }],
    pairs: 9,
    open: openSigning,
  },
  {
    rows: [{ name: "identity: mint with its rows", unit: "tokens/s", better: "higher", goal: 0.95, floor: 0.85 }],
    pairs: 9,
    open: openRecording,
  },
];
