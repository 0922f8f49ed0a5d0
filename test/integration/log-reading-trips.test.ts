/** What reading a log asks of its room, and what a log is answered with that goes meanwhile, on the real Worker. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { closeCodes } from "../../src/protocol/log-frames.ts";
import { comparable, createWorld, finishJob, output, push, takeJob, type World } from "../support/api.ts";
import { startHarness } from "../support/harness.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld(await startHarness({}, "test/integration/reading-worker/wrangler.toml"));
});
afterAll(() => world.harness.close());

async function finishedJob(events: readonly unknown[]) {
  await world.startJob();
  const agent = await world.agent();
  const { jobId, logToken } = await takeJob(world, agent);
  if (events.length > 0) expect((await push(world, logToken, jobId, 0, events)).status).toBe(200);
  await finishJob(world, agent, jobId);
  return jobId;
}

const get = (path: string, headers: Record<string, string> = {}) =>
  world.as(world.owner, "GET", path, undefined, headers);

/** What the rooms were asked since this was asked last. */
const asked = async (): Promise<string[]> => (await get("/asked")).body;

/** What a room's storage holds; nothing of one that was emptied, or never written to. */
const tablesOf = (jobId: string) =>
  world.harness.roomRows(jobId, "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'");

/** A viewer on a real socket; answers how it was closed. */
function watch(jobId: string, headers: Record<string, string> = {}): Promise<{ code: number; reason: string }> {
  const url = new URL(`/api/ws?job_id=${jobId}`, world.harness.url);
  const authorization = `Bearer ${world.owner}`;
  const socket = new WebSocket(url.href, ["signalbox.v1"], { headers: { authorization, ...headers } });
  // The local runtime leaves the connection open behind its close frame.
  const look = setInterval(() => {
    if (socket.readyState === WebSocket.CLOSING) socket.terminate();
  }, 10);
  return new Promise<{ code: number; reason: string }>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  }).finally(() => clearInterval(look));
}

const waysToRead = [
  "",
  "?token=1",
  "?raw=true",
  "?raw=true&token=5",
  "/summary",
  "/text",
  "/text?ansi=strip",
  "/events",
  "/event?at=0",
  "/line?at=1",
  "/search?q=hi",
];

describe("a log that is deleted while it is asked for", () => {
  it("is answered as one that was deleted before, to the last letter, whatever way it is read", async () => {
    for (const events of [[output("hi\n"), output("ho\n")], []]) {
      for (const way of waysToRead) {
        const path = `/api/v1/logs/${await finishedJob(events)}${way}`;
        const meanwhile = await get(path, { "x-delete-before-call": "1" });
        const afterwards = await get(path);
        expect([way, afterwards.status, afterwards.body.code]).toEqual([way, 410, "log_deleted"]);
        expect([way, meanwhile.status, comparable(meanwhile)]).toEqual([way, 410, comparable(afterwards)]);
      }
    }
  });

  it("is told gone to who opens a socket on it, and its emptied room stays empty", async () => {
    const jobId = await finishedJob([output("hi\n")]);
    const closed = await watch(jobId, { "x-delete-before-call": "1" });
    expect(closed).toEqual({ code: closeCodes.gone, reason: "the log was deleted" });
    expect(await tablesOf(jobId)).toEqual([]);
  });

  it("is told gone to who asks for a part of its download, or for what is new in it", async () => {
    for (const kind of ["text", "events"]) {
      for (const headers of [{ range: "bytes=0-1" }, { "if-none-match": '"another"' }]) {
        const path = `/api/v1/logs/${await finishedJob([output("hi\n")])}/${kind}`;
        expect((await get(path, { ...headers, "x-delete-before-call": "1" })).status).toBe(410);
      }
    }
  });
});

describe("a download", () => {
  it("breaks where its log is deleted while it is sent: no part of a log, and nothing, looks like the whole", async () => {
    const headers = { authorization: `Bearer ${world.owner}`, "x-delete-before-call": "2" };
    const events = Array.from({ length: 9 }, (_, at) => output(`${at}`.repeat(1_000_000)));
    for (const way of ["?raw=true", "/text", "/events"]) {
      // Past the development proxy, which asks anew where an answer breaks.
      const url = new URL(`/api/v1/logs/${await finishedJob(events)}${way}`, world.harness.url);
      const download = async () => (await world.harness.dispatch(url.href, { headers })).arrayBuffer();
      await expect(download()).rejects.toThrow();
    }
  });
});

describe("a log without an event", () => {
  it("is an empty log as long as its job may still write one, and once the job ended without", async () => {
    const queued = await world.startJob();
    const page = async (jobId: string) => (await get(`/api/v1/logs/${jobId}`)).text;
    expect(await page(queued)).toBe('{"events":[],"next":0}');
    expect((await get(`/api/v1/logs/${queued}/text`)).text).toBe("");
    await world.as(world.owner, "POST", `/api/v1/jobs/${queued}/stop`);
    expect(await page(queued)).toBe('{"events":[],"next":null}');
    expect((await get(`/api/v1/logs/${queued}?raw=true`)).text).toBe("");
  });
});

describe("a page of a log", () => {
  it("costs one call of its room, however it is asked for", async () => {
    const jobId = await finishedJob([output("hi\n")]);
    await asked();
    for (const [way, call] of [
      ["", "read"],
      ["?raw=true", "read"],
      ["/event?at=0", "read"],
      ["/line?at=1", "readNear"],
      ["/search?q=hi", "read"],
      ["/summary", "summary"],
    ]) {
      expect((await get(`/api/v1/logs/${jobId}${way}`)).status).toBe(200);
      expect([way, await asked()]).toEqual([way, [call]]);
    }
  });
});

describe("a part of a long log", () => {
  const lineOf = (number: number) => `line ${number}: ${"漢".repeat(300)}\r\n`;
  const events = Array.from({ length: 1200 }, (_, at) =>
    output(Array.from({ length: 15 }, (_, line) => lineOf(15 * at + line + 1)).join("")),
  );
  /** Of the log's 17 MB: the look at what is known, and a page or two from the mark on. */
  const few = 3;
  const whole = Buffer.from(events.map((event) => event.output).join(""));

  it("costs the first who asks one reading of the text, and everybody behind them a few calls, wherever it lies", async () => {
    const jobId = await finishedJob(events);
    await asked();
    for (const [index, first] of [whole.length - 9000, 0, whole.length - 1, 7_000_000].entries()) {
      const range = `bytes=${first}-${first + 999}`;
      const part = await get(`/api/v1/logs/${jobId}/text`, { range });
      expect([part.status, part.text]).toEqual([206, whole.subarray(first, first + 1000).toString()]);
      const calls = await asked();
      if (index === 0) expect(calls).toContain("keepText");
      else expect(calls.length, `${range}: ${calls}`).toBeLessThanOrEqual(few);
    }
    const stripped = await get(`/api/v1/logs/${jobId}/text?ansi=strip`, { range: "bytes=-7" });
    expect(stripped.text).toBe(whole.subarray(-7).toString());
    expect((await asked()).length).toBeLessThanOrEqual(few);
    expect((await get(`/api/v1/logs/${jobId}/line?at=17990`)).body).toMatchObject({ position: 1199, line: 17_990 });
    expect((await asked()).length).toBeLessThanOrEqual(few);
  });

  it("is a line that the next finds near, also while the log grows", async () => {
    await world.startJob();
    const { jobId, logToken } = await takeJob(world, await world.agent());
    await push(world, logToken, jobId, 0, events);
    const text = async (at: number) => (await get(`/api/v1/logs/${jobId}/line?at=${at}`)).body.text;
    await asked();
    expect(await text(17_000)).toBe(`${lineOf(17_000).trimEnd()}\r`);
    expect((await asked()).length).toBeGreaterThan(10);
    await push(world, logToken, jobId, 1200, [output(lineOf(18_001))]);
    for (const at of [17_001, 1, 9000]) {
      expect(await text(at)).toBe(`${lineOf(at).trimEnd()}\r`);
      expect((await asked()).length, `line ${at}`).toBeLessThanOrEqual(few);
    }
    expect(await text(18_001)).toBe(`${lineOf(18_001).trimEnd()}\r`);
  });

  it("leaves nothing in the room of a log that is deleted meanwhile", async () => {
    const jobId = await finishedJob([output("hi\n")]);
    const range = { range: "bytes=0-1", "x-delete-before-call": "3" };
    const url = new URL(`/api/v1/logs/${jobId}/text`, world.harness.url);
    const headers = { authorization: `Bearer ${world.owner}`, ...range };
    const part = async () => (await world.harness.dispatch(url.href, { headers })).arrayBuffer();
    await expect(part()).rejects.toThrow();
    expect(await asked()).toContain("keepText");
    expect(await tablesOf(jobId)).toEqual([]);
  });
});
