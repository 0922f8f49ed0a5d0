/** A log room on workerd that can be killed, evicted and deployed over, and pushes whose outcome may be unknown. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createTestHarness } from "wrangler";
import { encodeMasks } from "../../src/worker/logs/needles.ts";
import type { RoomBug } from "./planted.ts";

Object.assign(process.env, {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  X_LOCAL_EXPLORER: "false",
});

type TestHarness = ReturnType<typeof createTestHarness>;

const configPath = "test/faults/room-worker/wrangler.toml";

export class World {
  readonly #server: TestHarness;
  readonly #vars: { PLANTED: string };
  #url: URL;

  private constructor(server: TestHarness, vars: { PLANTED: string }, url: URL) {
    this.#server = server;
    this.#vars = vars;
    this.#url = url;
  }

  static async start(bug: RoomBug | null): Promise<World> {
    const vars = { PLANTED: bug ?? "" };
    const server = createTestHarness({ workers: [{ configPath, vars }] });
    return new World(server, vars, (await server.listen()).url);
  }

  at(path: string): string {
    return new URL(path, this.#url).href;
  }

  async arm(job: string, secrets: readonly string[]): Promise<void> {
    const values = secrets.map((value, index) => ({ name: `SECRET_${index}`, value }));
    const masks = new TextDecoder().decode(encodeMasks(values));
    await this.call(job, "arm", { claimNumber: 1, masks, alarmAt: Date.now() + 3_600_000 });
  }

  async call(job: string, name: string, args: unknown): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      const response = await fetch(this.at(`/${name}?job=${job}`), {
        method: "POST",
        body: JSON.stringify(args),
      }).catch(() => null);
      if (response?.ok) return response.json();
      if (attempt > 200) throw new Error(`${name} is not answered`);
      await pause(25);
    }
  }

  /** As the agent does: what was not answered is sent again, the very same. Answers the status that came at last. */
  async push(job: string, startFrom: number, body: string): Promise<number> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const url = this.at(`/push?job=${job}&start_from=${startFrom}&claim=1`);
      const response = await fetch(url, { method: "POST", body }).catch(() => null);
      // The connection may break behind the head of an answer, too.
      const read = await response?.text().catch(() => null);
      if (response && read !== null && response.status < 500) return response.status;
      await pause(25);
    }
    throw new Error("a push is not answered");
  }

  async evict(job: string, webSockets: "hibernate" | "close"): Promise<void> {
    const evicted = this.#server.getWorker().evictDurableObject("TestLogRoom", { name: job, webSockets });
    await evicted.catch((cause: unknown) => {
      // It is out of memory already, which is what was asked for.
      if (!String(cause).includes("not currently running")) throw cause;
    });
  }

  /** The same code anew on the same data. */
  async deploy(): Promise<void> {
    await this.#server.update({ workers: [{ configPath, vars: this.#vars }] });
    this.#url = (await this.#server.listen()).url;
  }

  /** SIGKILL to the process that holds the room's files. The harness starts another on the same data. */
  kill(): number {
    const pid = roomProcess();
    if (pid === null) throw new Error("no process of ours has a room's file open");
    process.kill(pid, "SIGKILL");
    return pid;
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

/** The workerd below this process that has files of Durable Objects open. */
export function roomProcess(): number | null {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => isOurs(pid) && openFiles(pid).some((path) => path.includes("/do/")));
  return found === undefined ? null : Number(found);
}

function isOurs(pid: string): boolean {
  for (let at = pid; at !== "0" && at !== "1" && at !== ""; at = parentOf(at)) {
    if (at === String(process.pid)) return pid !== at;
  }
  return false;
}

function parentOf(pid: string): string {
  return quietly(() => /\nPPid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "", "");
}

function openFiles(pid: string): string[] {
  const names = quietly(() => readdirSync(`/proc/${pid}/fd`), []);
  return names.map((name) => quietly(() => readlinkSync(`/proc/${pid}/fd/${name}`), ""));
}

/** Processes come and go while they are looked at. */
function quietly<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
