/** Log rooms on workerd, and pushes as an agent makes them: 2,000 events of 100 bytes, cut in mid-line. */
import { encodeMasks } from "../../src/worker/logs/needles.ts";
import { startBareWorker } from "./bare-worker.ts";
import { type BenchViewer, openViewer } from "./bench-viewer.ts";
import { startBenchWorker } from "./bench-worker.ts";

const eventsPerPush = 2000;

/** One in a thousand lines prints a secret. */
function bodyOf(seed: number, secrets: readonly string[]): string {
  const words = "the quick brown fox compiles 42 modules and links /usr/lib/libexample.so.1 in 0.31s ".repeat(2);
  return Array.from({ length: eventsPerPush }, (_, index) => {
    const start = (seed * 7 + index * 13) % 60;
    const secret = index % 1000 === 500 ? (secrets[seed % secrets.length] ?? "") : "";
    const output = `${words.slice(start, start + 100 - secret.length)}${secret}${index % 3 === 0 ? "\n" : ""}`;
    return `${JSON.stringify({ event: "cmd_output", timestamp: 1_795_169_265, output })}\n`;
  }).join("");
}

/** Ours, or the bare Durable Object beside it. */
export type Room = "ours" | "bare";

export interface LogRooms {
  readonly url: URL;
  readonly eventsPerPush: number;
  arm(job: string, masks: readonly { name: string; value: string }[]): Promise<void>;
  /** Push number `push`, counted from 0, of full pushes. Answers how many rows it wrote. */
  push(job: string, push: number, room?: Room): Promise<number>;
  /** Any other body, from a position on. */
  pushBody(job: string, startFrom: number, body: string, room?: Room): Promise<number>;
  /** Opens viewers, each with its own name; a bare room sends on what is pushed from then on. */
  watch(job: string, viewers: number, room?: Room): Promise<BenchViewer[]>;
  call(job: string, name: string, args: unknown): Promise<string>;
  close(): Promise<void>;
}

/** Both sides behind wrangler's proxy, which is told of every event besides; or alone, where each costs what it costs. */
export type Surroundings = "wrangler" | "workerd alone";

export async function openLogRooms(
  secrets: readonly string[] = [],
  surroundings: Surroundings = "wrangler",
): Promise<LogRooms> {
  const config = "bench/logs-worker/wrangler.toml";
  const worker = await (surroundings === "wrangler" ? startBenchWorker(config) : startBareWorker({}, config));
  const bodies = Array.from({ length: 5 }, (_, seed) => bodyOf(seed, secrets));
  const call = async (job: string, name: string, args: unknown) => {
    const url = new URL(`/${name}?job=${job}`, worker.url);
    const response = await fetch(url.href, { method: "POST", body: JSON.stringify(args) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${name} answered ${response.status}`);
    return text;
  };
  const pushBody = async (job: string, startFrom: number, body: string, room: Room = "ours") => {
    const path = room === "ours" ? "/push" : "/bare/push";
    const url = new URL(`${path}?job=${job}&start_from=${startFrom}&claim=1`, worker.url);
    const { status, headers } = await fetch(url.href, { method: "POST", body });
    if (status !== 200) throw new Error(`a push answered ${status}`);
    return Number(headers.get("x-rows-written"));
  };
  return {
    url: worker.url,
    eventsPerPush,
    call,
    close: worker.close,
    async arm(job, masks) {
      const text = new TextDecoder().decode(encodeMasks([...masks]));
      await call(job, "arm", { claimNumber: 1, masks: text, alarmAt: Date.now() + 3_600_000 });
    },
    watch: (job, viewers, room = "ours") =>
      Promise.all(
        Array.from({ length: viewers }, (_, index) => {
          const path = room === "ours" ? "/view" : "/bare/view";
          return openViewer(new URL(`${path}?job=${job}&from=0&who=viewer-${index}`, worker.url), room === "ours");
        }),
      ),
    push: (job, push, room) => pushBody(job, push * eventsPerPush, bodies[push % bodies.length] ?? "", room),
    pushBody,
  };
}
