/** A job that nobody took and whose room is not told of its end: the log gets its end all the same. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createWorld, type World } from "../support/api.ts";
import { startHarness } from "../support/harness.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld(await startHarness({}, "test/integration/reading-worker/wrangler.toml"));
});
afterAll(() => world.harness.close());
beforeEach(() => ask("/unheard"));
afterEach(() => ask("/heard"));

const ask = (path: string) => world.as(world.owner, "GET", path);
const stop = (jobId: string) => world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);
const finalOf = async (jobId: string) => (await ask(`/api/v1/logs/${jobId}/summary`)).body.final?.result ?? null;

async function stateOf(jobId: string): Promise<string> {
  return (await ask(`/api/v1/jobs/${jobId}`)).body.state;
}

it("one whose time in the queue is over: its room's alarm finds the end", async () => {
  const jobId = await world.startJob();
  await world.harness.db.prepare("UPDATE jobs SET created_at = 0 WHERE id = ?").bind(jobId).run();
  await world.harness.cron();
  expect([await stateOf(jobId), await finalOf(jobId)]).toEqual(["finished", null]);
  await ask(`/ring?job=${jobId}`);
  expect(await finalOf(jobId)).toBe("failed");
});

it("one that was stopped: its room's alarm finds the end", async () => {
  const jobId = await world.startJob();
  expect((await stop(jobId)).status).toBe(500);
  expect([await stateOf(jobId), await finalOf(jobId)]).toEqual(["finished", null]);
  await ask(`/ring?job=${jobId}`);
  expect(await finalOf(jobId)).toBe("stopped");
});

it("one that was stopped: who stops it once more gives the log its end", async () => {
  const jobId = await world.startJob();
  expect((await stop(jobId)).status).toBe(500);
  await ask("/heard");
  expect((await stop(jobId)).status).toBe(200);
  expect(await finalOf(jobId)).toBe("stopped");
});
