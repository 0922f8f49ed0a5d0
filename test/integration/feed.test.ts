/** The feed: every change of a job's state, once, in order, for those who may see the job, and resumable. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type JobChange, JobChangesPage } from "../../src/protocol/job-changes.ts";
import { limits } from "../../src/protocol/limits.ts";
import { addProject, createWorld, finishJob, jobStart, sync, takeJob, type World } from "../support/api.ts";
import { rowCounts } from "../support/at-rest.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;
let agent: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
});
afterAll(() => harness.close());

async function read(after: number, token = world.owner, limit = 100): Promise<JobChangesPage> {
  const answer = await world.as(token, "GET", `/api/v1/job-changes?after=${after}&limit=${limit}`);
  expect(answer.status).toBe(200);
  return JobChangesPage.parse(answer.body);
}

const newest = async () => (await harness.db.prepare("SELECT max(seq) AS n FROM job_changes").first<number>("n")) ?? 0;
const states = (items: readonly JobChange[]) => items.map(({ state, result }) => result ?? state);
const stop = (jobId: string) => world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);

it("tells a job's whole way, each state once, whatever else of the job changes", async () => {
  const start = await newest();
  const jobId = await world.startJob();
  await takeJob(world, agent);
  await sync(world, agent, "running-job", jobId);
  await stop(jobId);
  await stop(jobId);
  await finishJob(world, agent, jobId, "stopped");
  const { items, complete } = await read(start);
  expect(complete).toBe(true);
  expect(states(items)).toEqual(["queued", "running", "stopping", "stopped"]);
  expect(new Set(items.map((change) => `${change.job_id} ${change.project_id}`))).toEqual(
    new Set([`${jobId} ${world.projectId}`]),
  );
  const times = items.map(({ at }) => Date.parse(at));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(Math.abs(Date.now() - (times.at(-1) ?? 0))).toBeLessThan(60_000);
});

it("tells nothing of a start that was refused or said again", async () => {
  const id = crypto.randomUUID();
  const path = `/api/v1/projects/${world.projectId}/jobs`;
  expect((await world.as(world.owner, "POST", path, { ...jobStart(), id })).status).toBe(201);
  const before = await rowCounts(harness);
  expect((await world.as(world.owner, "POST", path, { ...jobStart(), id })).status).toBe(200);
  const unknownType = { ...jobStart(), agent_type: "nobody-has-it" };
  expect((await world.as(world.owner, "POST", path, unknownType)).status).toBeGreaterThanOrEqual(400);
  expect(await rowCounts(harness)).toEqual(before);
  await stop(id);
});

it("resumes from any position without loss or repetition, in pages of any size", async () => {
  const start = await newest();
  for (let round = 0; round < 3; round++) await stop(await world.startJob());
  const whole = await read(start);
  expect(states(whole.items)).toEqual(["queued", "stopped", "queued", "stopped", "queued", "stopped"]);
  for (const limit of [1, 2, 5]) {
    const pages: JobChange[] = [];
    let page = await read(start, world.owner, limit);
    for (; page.items.length > 0; page = await read(page.next, world.owner, limit)) pages.push(...page.items);
    expect(pages).toEqual(whole.items);
    expect(page.next).toBe(whole.next);
  }
});

it("shows a project's jobs to those who may read it, and to nobody else", async () => {
  const start = await newest();
  const elsewhere = await world.tokenOf("owner", await addProject(world, "elsewhere"));
  const here = await world.tokenOf("guest", world.projectId);
  const jobId = await world.startJob();
  await stop(jobId);
  expect((await read(start, here)).items).toEqual((await read(start)).items);
  expect(await read(start, elsewhere)).toEqual({ items: [], next: start, complete: true });
  expect((await world.as(null, "GET", "/api/v1/job-changes")).status).toBe(401);
});

it("refuses what is no position, and no page size, by name", async () => {
  const slips = ["after=", "after=%20", "after=0x10", "after=1e3", "limit="];
  for (const query of ["after=-1", "after=x", "after=1.5", ...slips, "limit=0", `limit=${limits.listItems + 1}`]) {
    const answer = await world.as(world.owner, "GET", `/api/v1/job-changes?${query}`);
    expect([query, answer.status]).toEqual([query, 400]);
    expect(answer.text).toContain(query.split("=")[0]);
  }
});

it("tells a reader whose position is ahead of the database that it is not this one's", async () => {
  const last = await newest();
  expect(await read(last + 1000)).toEqual({ items: [], next: last, complete: false });
});

it("forgets what is older than promised, says so to who comes late, and never gives a position twice", async () => {
  await stop(await world.startJob());
  const last = await newest();
  const old = Date.now() - limits.jobChangesKeptSeconds * 1000 - 1000;
  await harness.db
    .prepare("UPDATE job_changes SET at = ?1 WHERE seq < ?2")
    .bind(old, last - 1)
    .run();
  await harness.cron();
  const kept = await read(1);
  expect(kept.complete).toBe(false);
  expect(kept.items.map(({ position }) => position)).toEqual([last - 1, last]);
  expect((await read(last - 2)).complete).toBe(true);
  await harness.db.prepare("UPDATE job_changes SET at = ?1").bind(old).run();
  await harness.cron();
  expect((await read(last)).complete).toBe(true);
  expect(await read(last - 2)).toMatchObject({ complete: false, items: [{ position: last }] });
  const stranger = await world.tokenOf("guest", await addProject(world, "late"));
  const told = await read(1, stranger);
  expect([told.complete, (await read(told.next, stranger)).complete]).toEqual([false, true]);
  await world.startJob();
  expect((await read(last)).items.map(({ position }) => position)).toEqual([last + 1]);
});
