/** Our own client against the real Worker: it follows a log over broken connections, and loses nothing. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { nodeSockets } from "../../src/cli/node-socket.ts";
import { follow } from "../../src/client/follow.ts";
import type { LogRecord } from "../../src/client/log-assembler.ts";
import { createWorld, output, push, sync, takeJob, type World } from "../support/api.ts";
import { startHarness } from "../support/harness.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld(await startHarness());
});
afterAll(() => world.harness.close());

const line = (at: number) => `line ${at}\n`;
const lines = (from: number, count: number) => Array.from({ length: count }, (_, at) => output(line(from + at)));

async function runningJob() {
  const jobId = await world.startJob();
  const agent = await world.agent();
  const { logToken } = await takeJob(world, agent);
  await sync(world, agent, "running-job", jobId);
  return { jobId, agent, logToken };
}

it("a follower whose connection is cut again and again sees every event once, a gap as a gap, and the end", async () => {
  const { jobId, agent, logToken } = await runningJob();
  const cuts = [5, 20, 40, 70];
  const records: LogRecord[] = [];
  let interruptions = 0;
  let pushed = 0;
  const more = async () => {
    // Position 50 to 59 never arrive.
    const from = pushed >= 50 ? pushed + 10 : pushed;
    expect((await push(world, logToken, jobId, from, lines(from, 10))).status).toBe(200);
    pushed += 10;
  };
  await more();
  const following = follow({
    baseUrl: world.harness.url.origin,
    jobId,
    sockets: nodeSockets(world.owner),
    onInterruption: () => {
      interruptions++;
    },
  });
  for await (const record of following) {
    records.push(record);
    if (record.kind !== "event") continue;
    const seen = records.filter(({ kind }) => kind === "event").length;
    if (cuts.includes(seen)) await world.harness.evictRoom(jobId, "close");
    if (seen === pushed && pushed < 100) await more();
    if (seen === 100) await sync(world, agent, "finished-job", jobId, "passed");
  }
  const texts = records.flatMap((record) =>
    record.kind === "event" && record.event.event === "cmd_output" ? [record.event.output] : [],
  );
  expect(texts).toEqual([...lines(0, 50), ...lines(60, 50)].map((event) => event.output));
  expect(records.filter(({ kind }) => kind === "gap")).toMatchObject([{ position: 50, until: 60 }]);
  expect(records.at(-1)).toMatchObject({ kind: "end", result: "passed" });
  expect(interruptions).toBeGreaterThanOrEqual(cuts.length);
});

it("a page of the plain read never spans a gap, so that its reader knows every event's position", async () => {
  const { jobId, agent, logToken } = await runningJob();
  await push(world, logToken, jobId, 0, lines(0, 3));
  await push(world, logToken, jobId, 8, lines(8, 2));
  await sync(world, agent, "finished-job", jobId, "passed");
  const page = async (token: number) => {
    const { body } = await world.as(world.owner, "GET", `/api/v1/logs/${jobId}?token=${token}`);
    return { outputs: body.events.map((event: { output: string }) => event.output), next: body.next };
  };
  expect(await page(0)).toEqual({ outputs: [line(0), line(1), line(2)], next: 3 });
  expect(await page(3)).toEqual({ outputs: [], next: 8 });
  expect(await page(8)).toEqual({ outputs: [line(8), line(9)], next: null });
});
