/**
 * What sealing costs beyond AES-GCM and what of it costs how much; what sealing a vault anew asks of D1; and that a
 * list of keys opens none.
 */
import { randomBytes } from "node:crypto";
import { createClient } from "../src/client/client.ts";
import type { Bench, Measurement, Row } from "./runner/bench.ts";
import { startBenchWorker } from "./runner/bench-worker.ts";
import type { Counts } from "./sealing-worker/counts.ts";

/** Seals and opens of one request, and how many requests of either side make a measurement. */
const repeats = 2000;
const turns = 4;
const bootstrapToken = "bench-bootstrap-token";

async function openWorker() {
  const newKey = () => randomBytes(32).toString("base64");
  const worker = await startBenchWorker("bench/sealing-worker/wrangler.toml", {
    ISSUER: "http://127.0.0.1:8787",
    ACCESS_KEY_ENCRYPTION: newKey(),
    ACCESS_KEY_ENCRYPTION_2: newKey(),
    BOOTSTRAP_TOKEN: bootstrapToken,
  });
  const bench = async (name: string, query = ""): Promise<unknown> => {
    const response = await fetch(new URL(`/bench/${name}?${query}`, worker.url));
    if (!response.ok) throw new Error(`${name} answered ${response.status}`);
    return response.json();
  };
  return { ...worker, bench };
}

// ── One record ───────────────────────────────────────────────────────────────────────────────────────────────────

const parts = ["keyImport", "cipher", "derivation", "commitment", "associatedData", "encoding"] as const;
const partRow = (name: string, goal: number, floor: number): Row => ({
  name: `sealing: of it, ${name}`,
  unit: "µs",
  better: "lower",
  goal,
  floor,
});

/** Both sides in turns within one measurement, and each part once: what weighs on the machine weighs on all. */
async function openSteps(): Promise<Measurement> {
  const { bench, close } = await openWorker();
  const micros = async (name: string) => {
    const started = performance.now();
    await bench("step", `name=${name}&count=${repeats}`);
    return ((performance.now() - started) * 1000) / repeats;
  };
  const both = async () => {
    let [ours, bare] = [0, 0];
    for (let turn = 0; turn < turns; turn++) {
      ours += (await micros("sealAndOpen")) / turns;
      bare += (await micros("bare")) / turns;
    }
    const each: number[] = [];
    for (const part of parts) each.push(await micros(part));
    return { ours: [1e6 / ours, ...each], baseline: [1e6 / bare, ...each.map(() => ours)] };
  };
  return { both, close };
}

// ── A vault ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** A deployment with a project of so many keys, and an owner. */
async function openVault(rows: number) {
  const { url, bench, close, migrate } = await openWorker();
  await migrate("DB");
  const { token } = (
    await createClient({ baseUrl: url.origin }).bootstrap({ bootstrap_token: bootstrapToken, organization: "acme" })
  ).token;
  const client = createClient({ baseUrl: url.origin, token });
  const repository = { name: "web", slug: "acme/web", url: "https://git.example.com/acme/web.git" };
  const project = await client.projects.create({ name: "web", repository });
  await bench("fill", `project=${project.id}&rows=${rows}`);
  const { seals_with: first, items } = await client.sealing.status();
  const second = items.find(({ state }) => state === "new")?.key_id ?? "";
  await client.sealing.switchTo({ from: first, to: second });
  let [next, other] = [second, first];
  /** What the routes ask for while `run` runs. */
  const counted = async (run: () => Promise<unknown>): Promise<Counts> => {
    await bench("counts");
    await run();
    return (await bench("counts")) as Counts;
  };
  return {
    close,
    /** Seals every record under the other one of the two keys. */
    async walk() {
      await bench("seal-with", `key=${next}`);
      [next, other] = [other, next];
      const started = performance.now();
      const { roundTrips, opened } = await counted(async () => {
        let after: string | null = null;
        do after = (await client.sealing.reseal(after)).next;
        while (after !== null);
      });
      // Besides the rows, a request opens the self-test of the key that seals.
      if (opened < rows) throw new Error(`${opened} of ${rows} rows were opened`);
      return { microsPerRow: ((performance.now() - started) * 1000) / rows, roundTrips };
    },
    list: () => counted(() => client.keys.list(project.id, { limit: 1000 })),
  };
}

async function openGrowth(): Promise<Measurement> {
  const [large, small] = [await openVault(10_000), await openVault(2_000)];
  return {
    ours: async () => [(await large.walk()).microsPerRow],
    baseline: async () => [(await small.walk()).microsPerRow],
    close: async () => void (await Promise.all([large.close(), small.close()])),
  };
}

async function openCounts(): Promise<Measurement> {
  const rows = 2_000;
  const { walk, list, close } = await openVault(rows);
  const ours = async () => {
    const { roundTrips } = await walk();
    const { keyStatements, opened } = await list();
    return [(roundTrips * 100) / rows, keyStatements, opened];
  };
  return { ours, baseline: null, close };
}

export const benches: readonly Bench[] = [
  {
    pairs: 15,
    rows: [
      { name: "sealing: seal and open of 4 KiB", unit: "pairs/s", better: "higher", goal: 0.7, floor: 0.5 },
      partRow("key import", 0.4, 0.6),
      partRow("AES-GCM", 0.4, 0.6),
      partRow("HKDF", 0.25, 0.5),
      partRow("commitment", 0.1, 0.3),
      partRow("associated data", 0.15, 0.3),
      partRow("salt, IV and encoding", 0.2, 0.4),
    ],
    open: openSteps,
  },
  {
    rows: [
      { name: "sealing: re-sealing of 100 rows", unit: "round trips", better: "lower", goal: 3, floor: 3 },
      { name: "sealing: list of 1,000 keys", unit: "statements", better: "lower", goal: 1, floor: 1 },
      { name: "sealing: opened by that list", unit: "records", better: "lower", goal: 0, floor: 0 },
    ],
    open: openCounts,
  },
  {
    rows: [
      { name: "sealing: re-sealing a row, 10,000 over 2,000", unit: "µs", better: "lower", goal: 1.1, floor: 1.3 },
    ],
    open: openGrowth,
  },
];
