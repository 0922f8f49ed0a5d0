/** How jobs end before an agent could run them: stopped, refused at hand-over, never taken. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  addKey,
  createWorld,
  envOf,
  fetchJob,
  finishJob,
  jobStart,
  jobWithKeys,
  sync,
  takeJob,
  type World,
} from "../support/api.ts";
import { noticesOf, rowCounts } from "../support/at-rest.ts";
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

const stop = (jobId: string, token = world.owner) => world.as(token, "POST", `/api/v1/jobs/${jobId}/stop`);

const show = async (jobId: string) => (await world.as(world.owner, "GET", `/api/v1/jobs/${jobId}`)).body;

const logOf = async (jobId: string) => (await world.as(world.owner, "GET", `/api/v1/logs/${jobId}`)).body;

/** The queue gives the agent this job, which it does not fetch yet. */
async function claim(jobId: string): Promise<void> {
  const { body } = await sync(world, agent, "waiting-for-jobs");
  expect([body.action, body.job_id]).toEqual(["run-job", jobId]);
}

const string = { type: "string", value: "handed-over-value" };

describe("stopping a job", () => {
  it("that is queued ends it at once, with its log, and no agent hears of it", async () => {
    const jobId = await world.startJob();
    const answer = await stop(jobId);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ state: "finished", result: "stopped", claim_number: 0 });
    expect(answer.body.reason).toContain("stopped by");
    expect(await logOf(jobId)).toEqual({ events: [], next: null });
    expect(await noticesOf(harness, jobId)).toEqual([expect.stringContaining("stopped")]);
    expect((await sync(world, agent, "waiting-for-jobs")).body.action).toBe("continue");
    expect((await fetchJob(world, agent, jobId)).status).toBe(404);
  });

  it("that is finished changes nothing", async () => {
    const jobId = await world.startJob();
    await takeJob(world, agent);
    await finishJob(world, agent, jobId, "passed");
    const before = await show(jobId);
    const counts = await rowCounts(harness);
    expect((await stop(jobId)).body).toEqual(before);
    expect(await rowCounts(harness)).toEqual(counts);
  });

  it("that runs asks its agent, once and for all callers: the second stop keeps the first's word", async () => {
    const jobId = await world.startJob();
    await takeJob(world, agent);
    await sync(world, agent, "running-job", jobId);
    const first = await stop(jobId);
    expect(first.body).toMatchObject({ state: "stopping", result: null });
    const runner = await world.tokenOf("task_runner");
    expect((await stop(jobId, runner)).body).toEqual(first.body);
    await finishJob(world, agent, jobId, "stopped");
    expect(await show(jobId)).toMatchObject({ state: "finished", result: "stopped" });
  });

  it("races with a claim to one end, whoever comes first", async () => {
    for (let round = 0; round < 10; round++) {
      const jobId = await world.startJob();
      const [stopped, synced] = await Promise.all([stop(jobId), sync(world, agent, "waiting-for-jobs")]);
      expect(["finished", "stopping"]).toContain(stopped.body.state);
      if (synced.body.action === "run-job") {
        await fetchJob(world, agent, jobId);
        await finishJob(world, agent, jobId, "stopped");
      }
      await sync(world, agent, "waiting-for-jobs");
      expect(await show(jobId)).toMatchObject({ state: "finished", result: "stopped" });
    }
  });
});

describe("hand-over asks every policy again", () => {
  async function failsAtHandOver(jobId: string, reason: string): Promise<void> {
    const before = await rowCounts(harness);
    const answer = await fetchJob(world, agent, jobId);
    expect(answer.status).toBe(404);
    expect(answer.text).not.toContain("handed-over-value");
    const job = await show(jobId);
    expect(job).toMatchObject({ state: "finished", result: "failed" });
    expect(job.reason).toContain(reason);
    expect(await noticesOf(harness, jobId)).toEqual([expect.stringContaining(reason)]);
    expect((await logOf(jobId)).next).toBeNull();
    // No key was opened and no token minted for it.
    const { audit: _, job_changes: changes, ...after } = await rowCounts(harness);
    const { audit: __, job_changes: changesBefore, ...rest } = before;
    expect(after).toEqual(rest);
    // Its end, told once in the feed.
    expect(changes).toBe((changesBefore ?? 0) + 1);
    const { body } = await world.as(world.owner, "GET", `/api/v1/audit?job_id=${jobId}`);
    const actions = body.items.map((item: { action: string }) => item.action);
    expect(actions.filter((action: string) => ["key.unseal", "identity.mint", "job.fetch"].includes(action))).toEqual(
      [],
    );
    expect((await fetchJob(world, agent, jobId)).status).toBe(404);
    expect((await sync(world, agent, "finished-job", jobId, "failed")).body.action).toBe("wait-for-jobs");
    expect((await show(jobId)).reason).toBe(job.reason);
  }

  it("and fails the job of a key whose policy was changed while it waited, saying why in its log", async () => {
    await addKey(world, "narrowed", string);
    const jobId = await world.startJob(jobWithKeys("narrowed"));
    await claim(jobId);
    await harness.db
      .prepare(
        "UPDATE access_keys SET policy = json_set(policy, '$.refs', json('[\"refs/tags/**\"]')) WHERE name = 'narrowed'",
      )
      .run();
    await failsAtHandOver(jobId, "access key narrowed: refused: refs/heads/main matches none of refs/tags/**");
  });

  it("and fails the job of a key that is gone", async () => {
    const keyId = await addKey(world, "vanished", string);
    const jobId = await world.startJob(jobWithKeys("vanished"));
    await claim(jobId);
    // No route would delete it while the job names it.
    await harness.db.prepare("DELETE FROM access_keys WHERE id = ?").bind(keyId).run();
    await failsAtHandOver(jobId, "access key vanished: no such key");
  });

  it("and fails the job whose key was replaced by another of the same name", async () => {
    const keyId = await addKey(world, "replaced", string);
    const jobId = await world.startJob(jobWithKeys("replaced"));
    await claim(jobId);
    await harness.db.prepare("DELETE FROM access_keys WHERE id = ?").bind(keyId).run();
    await addKey(world, "replaced", string);
    await failsAtHandOver(jobId, "no such key");
  });

  it("and fails the job whose key has a narrower policy by now", async () => {
    const keyId = await addKey(world, "narrower", string);
    const jobId = await world.startJob(jobWithKeys("narrower"));
    await claim(jobId);
    const narrow = "UPDATE access_keys SET policy = json_set(policy, '$.refs', json(?)) WHERE id = ?";
    await harness.db.prepare(narrow).bind('["refs/heads/release/*"]', keyId).run();
    await failsAtHandOver(jobId, "refs/heads/release/*");
  });

  it("and fails the job whose key's row says another type by now: it is told as altered, not as the job's mistake", async () => {
    const keyId = await addKey(world, "retyped", string);
    const jobId = await world.startJob(jobWithKeys("retyped"));
    await claim(jobId);
    await harness.db.prepare("UPDATE access_keys SET type = 'none' WHERE id = ?").bind(keyId).run();
    await failsAtHandOver(jobId, "access key retyped: a sealed record could not be opened");
  });

  it("and fails the job whose agent type takes its ref no more", async () => {
    const jobId = await world.startJob({ ...jobWithKeys("narrowed"), spec: { commands: ["true"] } });
    await claim(jobId);
    const policyOf = "UPDATE agent_types SET policy = json_set(policy, '$.refs', json(?)) WHERE name = 'linux'";
    await harness.db.prepare(policyOf).bind('["refs/tags/**"]').run();
    try {
      await failsAtHandOver(jobId, "agent type linux");
    } finally {
      await harness.db.prepare(policyOf).bind('["refs/**"]').run();
    }
  });

  it("and fails the job whose secrets are too large to be masked", async () => {
    // Every quote is several characters in the forms that shells print.
    const env = [{ name: "HUGE", value: "'".repeat(240_000), secret: true }];
    const jobId = await world.startJob({ spec: { commands: ["true"], env } });
    await claim(jobId);
    expect((await fetchJob(world, agent, jobId)).status).toBe(404);
    expect(await show(jobId)).toMatchObject({ result: "failed", reason: "its secrets are too large to mask" });
    expect(await noticesOf(harness, jobId)).toEqual([expect.stringContaining("too large to mask")]);
  });

  it("but not what protected the ref: that was decided when the job was started", async () => {
    await addKey(world, "of-protected", string, { policy: {} });
    const jobId = await world.startJob(jobWithKeys("of-protected"));
    const settings = (protected_refs: string[] | null) =>
      world.as(world.owner, "PATCH", `/api/v1/projects/${world.projectId}`, { protected_refs });
    await settings(["refs/heads/release"]);
    const { request } = await takeJob(world, agent);
    expect(envOf(request, "OF_PROTECTED")).toBe("handed-over-value");
    await finishJob(world, agent, jobId);
    await settings(null);
  });
});

describe("a job that no agent takes", () => {
  it("fails once its time in the queue is over, in its log too; a younger one waits on", async () => {
    const old = await world.startJob({ name: "Old" });
    const young = await world.startJob({ name: "Young" });
    const dayAgo = Date.now() - 86_400_000 - 1000;
    await harness.db.prepare("UPDATE jobs SET created_at = ? WHERE id = ?").bind(dayAgo, old).run();
    await harness.cron();
    const job = await show(old);
    expect(job).toMatchObject({ state: "finished", result: "failed" });
    expect(job.reason).toContain("no agent took it");
    expect(await noticesOf(harness, old)).toEqual([expect.stringContaining("no agent took it")]);
    expect((await show(young)).state).toBe("queued");
    await stop(young);
  });
});

describe("a start that is sent again with its id", () => {
  it("is answered with its job, also when it might not start any more since its key is gone", async () => {
    const keyId = await addKey(world, "gone-by-then", string);
    const body = { id: crypto.randomUUID(), ...jobStart(), ...jobWithKeys("gone-by-then") };
    const start = () => world.as(world.owner, "POST", `/api/v1/projects/${world.projectId}/jobs`, body);
    expect((await start()).status).toBe(201);
    await world.as(world.owner, "POST", `/api/v1/jobs/${body.id}/stop`);
    expect((await world.as(world.owner, "DELETE", `/api/v1/projects/${world.projectId}/keys/${keyId}`)).status).toBe(
      204,
    );
    const again = await start();
    expect([again.status, again.body.id, again.body.state]).toEqual([200, body.id, "finished"]);
  });
});
