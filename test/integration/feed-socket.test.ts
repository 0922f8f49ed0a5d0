/** The feed's socket: how states of jobs change, live, to whoever may see the jobs, and to nobody for free. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { nodeSockets } from "../../src/cli/node-socket.ts";
import { followChanges } from "../../src/client/follow-changes.ts";
import { ticketSockets } from "../../src/client/socket.ts";
import { decodeFeedFrame, type JobChange } from "../../src/protocol/job-changes.ts";
import { limits } from "../../src/protocol/limits.ts";
import { closeCodes } from "../../src/protocol/log-frames.ts";
import { addProject, createWorld, finishJob, takeJob, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
});
afterAll(() => harness.close());

const newest = async () => (await harness.db.prepare("SELECT max(seq) AS n FROM job_changes").first<number>("n")) ?? 0;
const stop = (jobId: string) => world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);

/** What a reader has seen, and a way to wait until it has seen so much. */
function reading(token: string, after: number) {
  const seen: JobChange[] = [];
  const ended = new AbortController();
  let interruptions = 0;
  let look: () => void = () => undefined;
  const following = (async () => {
    const pages = followChanges({
      baseUrl: harness.url.origin,
      sockets: nodeSockets(token),
      after,
      signal: ended.signal,
      onInterruption: () => {
        interruptions++;
      },
    });
    for await (const { items } of pages) {
      seen.push(...items);
      look();
    }
  })();
  const over = following.catch((error: unknown) => error);
  return {
    seen,
    over,
    interruptions: () => interruptions,
    until: (count: number) =>
      new Promise<void>((resolve) => {
        look = () => {
          if (seen.length >= count) resolve();
        };
        look();
      }),
    async close() {
      ended.abort();
      await over;
    },
  };
}

it("tells what was and then what comes, each change once and in order, over evictions and cut connections", async () => {
  const start = await newest();
  await stop(await world.startJob());
  const reader = reading(world.owner, start);
  await reader.until(2);
  for (const webSockets of ["hibernate", "close", "hibernate"] as const) {
    const before = reader.seen.length;
    await harness.evictFeed(webSockets);
    await stop(await world.startJob());
    await reader.until(before + 2);
  }
  const agent = await world.agent();
  await world.startJob();
  const { jobId } = await takeJob(world, agent);
  await finishJob(world, agent, jobId);
  await reader.until(11);
  expect(reader.interruptions()).toBe(1);
  await reader.close();
  const { body } = await world.as(world.owner, "GET", `/api/v1/job-changes?after=${start}`);
  expect(reader.seen).toEqual(body.items);
  expect(reader.seen.slice(-3).map(({ state, result }) => result ?? state)).toEqual(["queued", "running", "passed"]);
});

it("tells a project's changes to those who may read it alone, and cuts off whoever may no more", async () => {
  const start = await newest();
  const elsewhere = await addProject(world, "elsewhere");
  const made = await world.as(world.owner, "POST", "/api/v1/tokens", {
    name: "reader",
    role: "guest",
    project_id: world.projectId,
  });
  const [here, there] = [made.body, await world.tokenOf("guest", elsewhere)];
  const [reader, stranger] = [reading(here.token, start), reading(there, start)];
  await stop(await world.startJob());
  await reader.until(2);
  expect(stranger.seen).toEqual([]);
  await world.as(world.owner, "DELETE", `/api/v1/tokens/${here.id}`);
  await stop(await world.startJob());
  expect(await reader.over).toMatchObject({ closeCode: closeCodes.gone });
  expect([reader.seen.length, stranger.seen]).toEqual([2, []]);
  await stranger.close();
});

/** A reader that acknowledges only when it is told to. */
async function rawReader(query: string, headers: Record<string, string> = {}) {
  const url = new URL(`/api/ws?${query}`, harness.url);
  url.protocol = "ws:";
  const socket = new WebSocket(url.href, ["signalbox.v1"], {
    headers: { authorization: `Bearer ${world.owner}`, ...headers },
    perMessageDeflate: false,
  });
  const frames: Buffer[] = [];
  let told: () => void = () => undefined;
  socket.on("message", (data: Buffer) => {
    frames.push(data);
    told();
  });
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  const opened = await new Promise<number>((resolve, reject) => {
    socket.once("open", () => resolve(101));
    socket.once("unexpected-response", (_, answer) => {
      resolve(answer.statusCode ?? 0);
      answer.destroy();
    });
    socket.once("error", reject);
  });
  const bytes = () => frames.reduce((sum, frame) => sum + frame.length, 0);
  return {
    socket,
    opened,
    closed,
    frames,
    bytes,
    until: (most: number) =>
      new Promise<void>((resolve) => {
        told = () => {
          if (bytes() >= most) resolve();
        };
        told();
      }),
  };
}

it("sends a reader that acknowledges nothing its credit and one frame, and goes on where it does", async () => {
  const jobId = await world.startJob();
  const insert = harness.db.prepare(
    `INSERT INTO job_changes (job_id, project_id, state, at)
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT ?, ?, 'queued', ? FROM n`,
  );
  const start = await newest();
  await insert.bind(jobId, world.projectId, Date.now()).run();
  const reader = await rawReader(`after=${start}`);
  await reader.until(limits.feedCreditBytes);
  // Whatever else happens to jobs brings it nothing.
  await stop(jobId);
  const other = reading(world.owner, start + 1000);
  await other.until(1);
  await other.close();
  const held = reader.bytes();
  const frame = Math.max(...reader.frames.map(({ length }) => length));
  expect(held).toBeLessThan(limits.feedCreditBytes + frame);
  reader.socket.send(JSON.stringify({ ack: held }));
  await reader.until(2 * limits.feedCreditBytes);
  const positions = reader.frames.flatMap((each) => decodeFeedFrame(each).page.items.map(({ position }) => position));
  expect(positions).toEqual(positions.map((_, at) => start + 1 + at));
  reader.socket.send('{"ack":1}');
  expect(await reader.closed).toBe(closeCodes.policy);
});

it("closes one socket too many of a principal, and leaves the others", async () => {
  const after = await newest();
  const readers = await Promise.all(
    Array.from({ length: limits.viewersPerPrincipal }, () => rawReader(`after=${after}`)),
  );
  const one = await rawReader(`after=${after}`);
  expect(await one.closed).toBe(closeCodes.tooManyViewers);
  await stop(await world.startJob());
  await Promise.all(readers.map((reader) => reader.until(1)));
  for (const { socket } of readers) socket.terminate();
});

it("opens by the header or a ticket made for it, once, from no foreign page, and for no position that is none", async () => {
  const ticketOf = async (jobId: string | null) => {
    const body = jobId === null ? { purpose: "feed" } : { purpose: "job", job_id: jobId };
    return (await world.as(world.owner, "POST", "/api/v1/socket-tickets", body)).body.ticket as string;
  };
  const start = await newest();
  const jobId = await world.startJob();
  const sockets = ticketSockets(WebSocket as never, ticketOf);
  for await (const { items } of followChanges({ baseUrl: harness.url.origin, sockets, after: start })) {
    expect(items.map((change) => change.job_id)).toContain(jobId);
    break;
  }
  const asked = async (ticket: string) =>
    (
      await rawReader("after=0", {
        authorization: "",
        "sec-websocket-protocol": `signalbox.v1, signalbox.ticket.${ticket}`,
      })
    ).opened;
  expect(await asked(await ticketOf(jobId))).toBe(401);
  expect((await rawReader("after=0", { authorization: "" })).opened).toBe(401);
  expect((await rawReader("after=0", { origin: "https://evil.example" })).opened).toBe(403);
  expect((await rawReader("after=-1")).opened).toBe(400);
  expect((await rawReader("after=x")).opened).toBe(400);
});
