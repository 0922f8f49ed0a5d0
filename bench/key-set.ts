/** What relying parties ask for most, the key set and its 304, against the smallest route that there is. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { startBareWorker } from "./runner/bare-worker.ts";
import type { Bench, Measurement } from "./runner/bench.ts";
import { Connection, requestOf } from "./runner/connection.ts";
import { median } from "./runner/summary.ts";

/** Short turns, so that a moment's noise falls on all three alike. */
const requestsPerConnection = 16;
const turns = 50;
const connections = 8;

function newSigningKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return JSON.stringify({ ...privateKey.export({ format: "jwk" }), activates_at: 0 });
}

async function open(): Promise<Measurement> {
  const { url, close } = await startBareWorker({
    ACCESS_KEY_ENCRYPTION: randomBytes(32).toString("base64"),
    SIGNING_KEY_1: newSigningKey(),
    SIGNING_KEY_2: newSigningKey(),
  });
  const lines = await Promise.all(Array.from({ length: connections }, () => Connection.open(url)));
  const whole = await routeOf(lines, requestOf(url, "/.well-known/jwks.json"), 200);
  const etag = /^etag: (.*)\r$/im.exec(whole.answer)?.[1] ?? "";
  const known = requestOf(url, "/.well-known/jwks.json", { "if-none-match": etag });
  const routes = [whole, await routeOf(lines, known, 304), await routeOf(lines, requestOf(url, "/"), 200)];
  return {
    async both() {
      const rates: number[][] = routes.map(() => []);
      for (let turn = 0; turn < turns; turn++) {
        for (const step of routes.keys()) {
          const at = (turn + step) % routes.length;
          rates[at]?.push(await rate(lines, routes[at]));
        }
      }
      const [keySet = 0, unchanged = 0, smallest = 0] = rates.map(median);
      return { ours: [keySet, unchanged], baseline: [smallest, smallest] };
    },
    async close() {
      for (const line of lines) line.close();
      await close();
    },
  };
}

async function routeOf([line]: readonly Connection[], request: string, status: number) {
  return { request, answer: (await line?.once(request, status)) ?? "" };
}

async function rate(lines: readonly Connection[], { request, answer } = { request: "", answer: "" }): Promise<number> {
  const started = performance.now();
  await Promise.all(lines.map((line) => line.repeat(request, requestsPerConnection, answer.length)));
  return (connections * requestsPerConnection * 1000) / (performance.now() - started);
}

const row = { unit: "requests/s", better: "higher", goal: 0.97, floor: 0.95 } as const;

export const benches: readonly Bench[] = [
  {
    rows: [
      { ...row, name: "identity: key set" },
      { ...row, name: "identity: key set, unchanged" },
    ],
    pairs: 9,
    open,
  },
];
