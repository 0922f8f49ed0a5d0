/**
 * What masking costs: pushes of 2,000 events of 100 bytes to a log room on workerd with 50 secrets of 40 characters,
 * against the same pushes with none, in turns. Prints events per second and the ratio with its spread.
 *
 *   node bench/masking.ts [rounds]
 */
import { randomBytes } from "node:crypto";
import { createTestHarness } from "wrangler";
import { encodeMasks } from "../src/worker/logs/needles.ts";

Object.assign(process.env, {
  WRANGLER_SEND_METRICS: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  X_LOCAL_EXPLORER: "false",
});

const rounds = Number(process.argv[2] ?? 15);
const pushesPerRound = 20;
const eventsPerPush = 2000;

const secrets = Array.from({ length: 50 }, () => randomBytes(20).toString("hex"));
const values = secrets.map((value, index) => ({ name: `SECRET_${index}`, value }));

/** One in a thousand lines prints a secret; the events are cut in mid-line, as the official agent's are. */
function body(seed: number): string {
  const words = "the quick brown fox compiles 42 modules and links /usr/lib/libexample.so.1 in 0.31s ".repeat(2);
  return Array.from({ length: eventsPerPush }, (_, index) => {
    const start = (seed * 7 + index * 13) % 60;
    const secret = index % 1000 === 500 ? (secrets[seed % secrets.length] ?? "") : "";
    const output = `${words.slice(start, start + 100 - secret.length)}${secret}${index % 3 === 0 ? "\n" : ""}`;
    return `${JSON.stringify({ event: "cmd_output", timestamp: 1_795_169_265, output })}\n`;
  }).join("");
}

const bodies = Array.from({ length: 5 }, (_, seed) => body(seed));
const server = createTestHarness({ workers: [{ configPath: "test/integration/log-room-worker/wrangler.toml" }] });
const base = (await server.listen()).url;

async function call(job: string, name: string, args: unknown): Promise<void> {
  const url = new URL(`/${name}?job=${job}`, base);
  await (await fetch(url.href, { method: "POST", body: JSON.stringify(args) })).text();
}

/** Events per second of one room. */
async function measure(job: string, masks: typeof values): Promise<number> {
  const text = new TextDecoder().decode(encodeMasks(masks));
  await call(job, "arm", { claimNumber: 1, masks: text, alarmAt: Date.now() + 3_600_000 });
  // Opens the masks and compiles them, which a job pays once.
  await send(job, 0, bodies[0] ?? "");
  const started = performance.now();
  for (let push = 1; push <= pushesPerRound; push++) {
    await send(job, push * eventsPerPush, bodies[push % bodies.length] ?? "");
  }
  return (pushesPerRound * eventsPerPush * 1000) / (performance.now() - started);
}

async function send(job: string, startFrom: number, text: string): Promise<void> {
  const url = new URL(`/push?job=${job}&start_from=${startFrom}&claim=1`, base);
  const { status } = await fetch(url.href, { method: "POST", body: text });
  if (status !== 200) throw new Error(`a push answered ${status}`);
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

const [bare, masked, ratios]: [number[], number[], number[]] = [[], [], []];
// Two rounds warm the runtime up and do not count.
for (let round = -2; round < rounds; round++) {
  const without = await measure(`bare-${round}`, []);
  const withMasks = await measure(`masked-${round}`, values);
  if (round < 0) continue;
  bare.push(without);
  masked.push(withMasks);
  ratios.push(withMasks / without);
}
await server.close();

const events = (perSecond: number) => `${Math.round(perSecond / 1000)}k events/s`;
process.stdout.write(`no secrets  ${events(median(bare))}\n50 secrets  ${events(median(masked))}\n`);
const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
process.stdout.write(
  `ratio ${median(ratios).toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)}, ${rounds} rounds)\n`,
);
