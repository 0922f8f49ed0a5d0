/** Whom a change of a job's state wakes: the feed's object where somebody reads there, and nothing where nobody does. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { nodeSockets } from "../../src/cli/node-socket.ts";
import { followChanges } from "../../src/client/follow-changes.ts";
import { type Answer, createWorld, finishJob, jobStart, sync, takeJob, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";

/** The longest that a test waits for an agent to be missed. */
const settings = JSON.stringify({ next_sync_after_ms: 100, agent_lost_seconds: 2 });

let harness: Harness;
let world: World;
let agent: string;

beforeAll(async () => {
  harness = await startHarness({ SETTINGS: settings }, "test/integration/trips-worker/wrangler.toml");
  world = await createWorld(harness);
  agent = await world.agent();
});
afterAll(() => harness.close());

const tripsOf = ({ headers }: Pick<Answer, "headers">): string[] => JSON.parse(headers.get("x-trips") ?? "null");

const start = (over: object = {}) =>
  world.as(world.owner, "POST", `/api/v1/projects/${world.projectId}/jobs`, { ...jobStart(), ...over });
const stop = (jobId: string) => world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);

/** Every way in which a request changes a job's state, with what it asked. */
async function changes(): Promise<[string, Answer][]> {
  const queued = await start();
  const stopped = await stop(queued.body.id);
  const again = await start();
  const claimed = await sync(world, agent, "waiting-for-jobs");
  const jobId: string = again.body.id;
  await world.as(agent, "GET", `/api/v1/self_hosted_agents/jobs/${jobId}`);
  await sync(world, agent, "running-job", jobId);
  const stopping = await stop(jobId);
  const finished = await finishJob(world, agent, jobId, "stopped");
  return [
    ["start", queued],
    ["stop of a queued job", stopped],
    ["claim", claimed],
    ["stop of a running job", stopping],
    ["finish", finished],
  ];
}

/** Reads the feed from its newest change on; `until` waits for a job's state. */
async function reader() {
  const after = (await harness.db.prepare("SELECT max(seq) AS n FROM job_changes").first<number>("n")) ?? 0;
  const ended = new AbortController();
  const seen = new Set<string>();
  let look: () => void = () => undefined;
  const pages = followChanges({
    baseUrl: harness.url.origin,
    sockets: nodeSockets(world.owner),
    after,
    signal: ended.signal,
  });
  const over = (async () => {
    for await (const { items } of pages) {
      for (const { job_id, state } of items) seen.add(`${job_id} ${state}`);
      look();
    }
  })().catch((error: unknown) => error);
  return {
    until: (change: string) =>
      new Promise<void>((resolve) => {
        look = () => {
          if (seen.has(change)) resolve();
        };
        look();
      }),
    async close() {
      ended.abort();
      await over;
    },
  };
}

it("a change wakes nothing while nobody reads the feed", async () => {
  for (const [change, answer] of await changes()) expect(tripsOf(answer), change).not.toContain("feed");
});

it("a watch that a clock far ahead left behind ends with the next one, for the database's clock says how long", async () => {
  await harness.db.prepare("UPDATE feed_watch SET until = 9000000000000000").run();
  const watching = await reader();
  const { id } = (await start()).body;
  await watching.until(`${id} queued`);
  const left = "SELECT until / 1000 - unixepoch() AS seconds FROM feed_watch";
  expect(await harness.db.prepare(left).first("seconds")).toBeLessThanOrEqual(300);
  await stop(id);
  await watching.close();
});

it("each change wakes the feed while somebody reads there, and what changes nothing wakes it not", async () => {
  const watching = await reader();
  const { id } = (await start()).body;
  await watching.until(`${id} queued`);
  await stop(id);
  for (const [change, answer] of await changes()) expect(tripsOf(answer), change).toContain("feed");
  const once = crypto.randomUUID();
  await start({ id: once });
  for (const answer of [await start({ id: once }), await stop(id)]) {
    expect(answer.status).toBe(200);
    expect(tripsOf(answer)).not.toContain("feed");
  }
  await stop(once);
  await watching.close();
});

it("what the server decides by itself wakes the feed as well: an agent is lost, a queue's time is over", async () => {
  const watching = await reader();
  const lost = (await start()).body.id;
  const silent = await world.agent();
  await takeJob(world, silent);
  await watching.until(`${lost} finished`);
  const waited = (await start()).body.id;
  await harness.db.prepare("UPDATE jobs SET created_at = 0 WHERE id = ?").bind(waited).run();
  await harness.cron();
  await watching.until(`${waited} finished`);
  await watching.close();
});
