/** A log once it is final, through the whole Worker: its digest, its download, and its end by the project's retention. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { decodeFrame, type FrameHeader } from "../../src/protocol/log-frames.ts";
import { addProject, createWorld, finishJob, output, push, takeJob, type World } from "../support/api.ts";
import { startHarness } from "../support/harness.ts";
import { upgrade } from "../support/raw-request.ts";

let world: World;

beforeAll(async () => {
  // Rooms look every second, so that a test need not wait for what takes a day.
  const settings = { next_sync_after_ms: 100, log_retention_check_seconds: 1 };
  world = await createWorld(await startHarness({ SETTINGS: JSON.stringify(settings) }));
});
afterAll(() => world.harness.close());

async function runningJob() {
  const jobId = await world.startJob();
  const agent = await world.agent();
  const { logToken } = await takeJob(world, agent);
  return { jobId, agent, logToken };
}

async function finishedJob(events: readonly unknown[] = [output("hi\n")]) {
  const job = await runningJob();
  expect((await push(world, job.logToken, job.jobId, 0, events)).status).toBe(200);
  await finishJob(world, job.agent, job.jobId);
  return job;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const get = (path: string, headers: Record<string, string> = {}) =>
  world.harness.fetch(path, { headers: { authorization: `Bearer ${world.owner}`, ...headers } });

const summaryOf = async (jobId: string) => (await world.as(world.owner, "GET", `/api/v1/logs/${jobId}/summary`)).body;

const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

/** The last frame of a finished log. */
async function endFrame(jobId: string): Promise<FrameHeader | undefined> {
  const url = new URL(`/api/ws?job_id=${jobId}`, world.harness.url);
  const socket = new WebSocket(url.href, ["signalbox.v1"], { headers: { authorization: `Bearer ${world.owner}` } });
  let received = 0;
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (data: Buffer) => {
      const { header } = decodeFrame(new Uint8Array(data));
      received += data.length;
      socket.send(JSON.stringify({ ack: received }));
      if (header.kind !== "end") return;
      resolve(header);
      socket.terminate();
    });
  });
}

describe("a final log", () => {
  it("shows the SHA-256 of what its download serves, everywhere the same, whatever was pushed and evicted", async () => {
    const job = await runningJob();
    const events = `/api/v1/logs/${job.jobId}/events`;
    await push(world, job.logToken, job.jobId, 0, [output("grün\n"), "no event", output("\u001b[31m\u0000\r\n")]);
    await world.harness.evictRoom(job.jobId, "close");
    // A gap of two, and one event that takes several rows.
    await push(world, job.logToken, job.jobId, 5, [output("x".repeat(2_500_000)), output("end")]);
    expect(await summaryOf(job.jobId)).toEqual({ job_id: job.jobId, events: 7, notices: [], final: null });
    const growing = await get(events);
    expect([growing.status, growing.headers.get("etag"), growing.headers.get("repr-digest")]).toEqual([
      200,
      null,
      null,
    ]);
    const before = await bytesOf(growing);
    await finishJob(world, job.agent, job.jobId);
    await world.harness.evictRoom(job.jobId, "close");

    const { final } = await summaryOf(job.jobId);
    const whole = await get(events);
    const bytes = await bytesOf(whole);
    expect(Buffer.from(bytes).equals(before)).toBe(true);
    expect(Buffer.from(bytes).toString().trimEnd().split("\n").length).toBe(5);
    expect(final).toMatchObject({ result: "passed", bytes: bytes.length, sha256: sha256(bytes) });
    expect(Date.parse(final.delete_at) - Date.parse(final.closed_at)).toBe(30 * 86_400_000);
    expect(whole.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
    expect(whole.headers.get("etag")).toBe(`"${final.sha256}"`);
    const inBase64 = Buffer.from(final.sha256, "hex").toString("base64");
    expect(whole.headers.get("repr-digest")).toBe(`sha-256=:${inBase64}:`);
    expect(await endFrame(job.jobId)).toMatchObject({ kind: "end", position: 7, sha256: final.sha256 });

    // Never another: what is pushed, or said to have ended, once more changes nothing.
    expect((await push(world, job.logToken, job.jobId, 7, [output("more")])).status).toBe(422);
    await world.as(world.owner, "POST", `/api/v1/jobs/${job.jobId}/stop`);
    expect((await summaryOf(job.jobId)).final).toEqual(final);
  });

  it("is told unchanged by its tag, and given in parts that make the whole", async () => {
    const { jobId } = await finishedJob(Array.from({ length: 50 }, (_, at) => output(`line ${at}\n`)));
    const events = `/api/v1/logs/${jobId}/events`;
    const whole = await get(events);
    const [etag, bytes] = [whole.headers.get("etag") ?? "", await bytesOf(whole)];
    expect((await get(events, { "if-none-match": etag })).status).toBe(304);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += 1000) {
      const part = await get(events, { range: `bytes=${at}-${at + 999}`, "if-range": etag });
      expect(part.status).toBe(206);
      const last = Math.min(at + 999, bytes.length - 1);
      expect(part.headers.get("content-range")).toBe(`bytes ${at}-${last}/${bytes.length}`);
      parts.push(await bytesOf(part));
    }
    expect(sha256(Buffer.concat(parts))).toBe(sha256(bytes));
    expect((await get(events, { range: `bytes=${bytes.length}-` })).status).toBe(416);
    expect((await get(events, { range: "bytes=0-9", "if-range": '"another"' })).status).toBe(200);
    const head = await world.harness.fetch(events, {
      method: "HEAD",
      headers: { authorization: `Bearer ${world.owner}` },
    });
    expect([head.status, head.headers.get("etag")]).toEqual([200, etag]);
  });
});

const closedDaysAgo = (jobId: string, days: number) =>
  world.harness.roomRows(jobId, `UPDATE life SET closed_at = closed_at - ${days * 86_400_000}`);

const keepFor = async (days: unknown) =>
  (await world.as(world.owner, "PATCH", `/api/v1/projects/${world.projectId}`, { log_retention_days: days })).status;

const isThere = async (jobId: string) => {
  const { status } = await world.as(world.owner, "GET", `/api/v1/logs/${jobId}`);
  expect([200, 410]).toContain(status);
  return status === 200;
};

/** The room's own alarm does it. */
async function untilDeleted(jobId: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (await isThere(jobId)) {
    if (Date.now() > deadline) throw new Error("the log was never deleted");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("retention", () => {
  it("is 30 days where nobody said otherwise; lowered it holds for old logs, raised it spares them", async () => {
    const project = await world.as(world.owner, "GET", `/api/v1/projects/${world.projectId}`);
    expect(project.body.settings.log_retention_days).toBe(30);
    for (const days of [0, 3651, 1.5, "30", null]) expect(await keepFor(days)).toBe(400);
    const [old, young, older] = [await finishedJob(), await finishedJob(), await finishedJob()];
    await closedDaysAgo(old.jobId, 20);
    await closedDaysAgo(young.jobId, 5);
    expect(await keepFor(60)).toBe(200);
    await closedDaysAgo(older.jobId, 31);
    // Alarms survive evictions.
    for (const { jobId } of [old, young, older]) await world.harness.evictRoom(jobId, "close");
    expect(await keepFor(32)).toBe(200);
    expect(await isThere(older.jobId)).toBe(true);
    expect(await keepFor(7)).toBe(200);
    await untilDeleted(old.jobId);
    await untilDeleted(older.jobId);
    expect(await isThere(young.jobId)).toBe(true);
    expect(await keepFor(30)).toBe(200);
  });

  it("ends in 410 for whoever may see the job, 404 for others, and nothing left but when and which log it was", async () => {
    const stranger = await world.tokenOf("owner", await addProject(world, "elsewhere"));
    const guest = await world.tokenOf("guest");
    const { jobId, logToken } = await finishedJob();
    const { sha256: digest } = (await summaryOf(jobId)).final;
    expect((await world.as(guest, "GET", `/api/v1/jobs/${jobId}`)).body.log_deletion).toBeNull();
    await closedDaysAgo(jobId, 31);
    await untilDeleted(jobId);

    const { body: job } = await world.as(guest, "GET", `/api/v1/jobs/${jobId}`);
    expect(job).toMatchObject({ state: "finished", log_deletion: { sha256: digest } });
    const log = `/api/v1/logs/${jobId}`;
    const reads = ["", "?raw=true", "/summary", "/text", "/events", "/event?at=0", "/line?at=1", "/search?q=hi"].map(
      (path) => `${log}${path}`,
    );
    for (const path of reads) {
      const answer = await world.as(guest, "GET", path);
      expect([path, answer.status, answer.body.code]).toEqual([path, 410, "log_deleted"]);
      expect((await world.as(stranger, "GET", path)).status).toBe(404);
    }
    const ticket = (token: string) =>
      world.as(token, "POST", "/api/v1/socket-tickets", { purpose: "job", job_id: jobId });
    expect([(await ticket(guest)).status, (await ticket(stranger)).status]).toEqual([410, 404]);
    expect((await upgrade(world.harness, guest, jobId)).status).toBe(410);
    expect((await upgrade(world.harness, stranger, jobId)).status).toBe(404);
    expect((await push(world, logToken, jobId, 0, [output("again")])).status).toBe(422);
    // Saying its end once more does not bring the room back.
    await world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);
    const tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'";
    expect(await world.harness.roomRows(jobId, tables)).toEqual([]);
  });

  it("holds for the log of a job that no agent ever took", async () => {
    const jobId = await world.startJob();
    await world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);
    expect((await summaryOf(jobId)).final).toMatchObject({ result: "stopped", bytes: 0 });
    await closedDaysAgo(jobId, 31);
    await world.harness.evictRoom(jobId, "close");
    await untilDeleted(jobId);
  });
});
