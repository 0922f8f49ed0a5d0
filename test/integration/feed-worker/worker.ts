/**
 * The feed's object with everything around it replaced by what a test says: the clock can be put forward, readers barred, and
 * changes are as many as were planted. Sockets, alarms and evictions are the real ones.
 */
import type { JobChangesPage } from "../../../src/protocol/job-changes.ts";
import type { Person } from "../../../src/protocol/principal.ts";
import { FeedObject, type FeedPorts } from "../../../src/worker/jobs/feed.ts";
import { createFeed, type Feeds } from "../../../src/worker/jobs/feed-access.ts";
import { feedPageItems } from "../../../src/worker/jobs/feed-reader.ts";
import { type EpochMs, systemClock, toTimestamp } from "../../../src/worker/lib/time.ts";

interface TestEnv {
  readonly FEED: Feeds<TestEnv>;
}

interface Planted {
  forwardMs: number;
  /** Principals that may read no more. */
  barred: string[];
  /** Changes that there are, numbered from 1. */
  changes: number;
}

const id = "01a21959-302a-7bba-a625-3aa8e6096404";

function change(position: number): JobChangesPage["items"][number] {
  return { position, job_id: id, project_id: id, state: "queued", result: null, at: toTimestamp(0) };
}

export class TestFeed extends FeedObject<TestEnv> {
  readonly #planted: Planted = { forwardMs: 0, barred: [], changes: 0 };

  protected override readonly ports: FeedPorts = {
    clock: () => (Date.now() + this.#planted.forwardMs) as EpochMs,
    readers: async (principalIds) => {
      const allowed = principalIds.filter((each) => !this.#planted.barred.includes(each));
      return new Map(allowed.map((each): [string, Person] => [each, { id: each, projectId: id } as Person]));
    },
    changes: async (_person, after) => {
      this.#asked.push("changes");
      const items = Array.from({ length: Math.min(feedPageItems, this.#planted.changes - after) }, (_, at) =>
        change(after + at + 1),
      );
      return { items, next: after + items.length, complete: true };
    },
    watched: async () => {
      // What a slow database is: whoever did not wait for it would read meanwhile.
      await scheduler.wait(20);
      this.#asked.push("watched");
    },
  };

  readonly #asked: string[] = [];
  #heard = 0;

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    await super.webSocketMessage(socket, message);
    this.#heard++;
  }

  async heard(): Promise<number> {
    return this.#heard;
  }

  /** What it asked of the house since this was asked last. */
  async asked(): Promise<string[]> {
    return this.#asked.splice(0);
  }

  async plant(changes: Partial<Planted>): Promise<void> {
    Object.assign(this.#planted, changes);
  }

  ring(): Promise<void> {
    return this.alarm();
  }
}

// biome-ignore lint/style/noDefaultExport: a Worker's entry
export default {
  async fetch(request: Request, env: TestEnv, ctx: ExecutionContext): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === "/open") {
      const feed = createFeed(env.FEED, (work) => ctx.waitUntil(work), systemClock);
      return feed.open(request, url.searchParams.get("who") ?? "", 0);
    }
    const stub = env.FEED.getByName("feed") as unknown as DurableObjectStub<TestFeed>;
    if (url.pathname === "/plant") await stub.plant(await request.json());
    if (url.pathname === "/ring") await stub.ring();
    if (url.pathname === "/wake") await stub.wake();
    if (url.pathname === "/asked") return Response.json(await stub.asked());
    return new Response(url.pathname === "/heard" ? String(await stub.heard()) : null);
  },
} satisfies ExportedHandler<TestEnv>;
