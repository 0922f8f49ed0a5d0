/** Hand-over: one agent gets a job's secrets, the same ones when it asks again, and never without a record of it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../src/protocol/limits.ts";
import {
  addKey,
  addProject,
  comparable,
  createWorld,
  envOf,
  fetchJob,
  finishJob,
  jobWithKeys,
  output,
  push,
  registration,
  sync,
  takeJob,
  type World,
} from "../support/api.ts";
import { rowCounts } from "../support/at-rest.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;
let agent: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
  await addKey(world, "handed", { type: "string", value: "handed-over-value" });
});
afterAll(() => harness.close());

const stop = (jobId: string) => world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);

const show = async (jobId: string) => (await world.as(world.owner, "GET", `/api/v1/jobs/${jobId}`)).body;

const ledgerOf = async (jobId: string) =>
  (await world.as(world.owner, "GET", `/api/v1/jobs/${jobId}/identity`)).body.items;

const auditOf = async (
  jobId: string,
): Promise<{ action: string; key_id: string; details: Record<string, unknown> }[]> =>
  (await world.as(world.owner, "GET", `/api/v1/audit?job_id=${jobId}`)).body.items;

const registrationTokens = (body: object) =>
  world.as(world.owner, "POST", `/api/v1/agent-types/${world.agentTypeId}/registration-tokens`, body);

describe("of fifty agents at once", () => {
  it("exactly one gets the one job that there is, and it alone may fetch it", async () => {
    const { token } = (await registrationTokens({ uses: 50 })).body;
    const agents = await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const answer = await world.as(
          token,
          "POST",
          "/api/v1/self_hosted_agents/register",
          registration(`crowd-${at}`),
        );
        return answer.body.token as string;
      }),
    );
    for (let round = 0; round < 3; round++) {
      const jobId = await world.startJob(jobWithKeys("handed"));
      const answers = await Promise.all(agents.map((each) => sync(world, each, "waiting-for-jobs")));
      const winners = agents.filter((_, at) => answers[at]?.body.action === "run-job");
      expect(winners).toHaveLength(1);
      const fetched = await Promise.all(agents.map((each) => fetchJob(world, each, jobId)));
      expect(fetched.filter(({ status }) => status === 200)).toHaveLength(1);
      const refusals = fetched.filter(({ status }) => status !== 200);
      expect(new Set(refusals.map(comparable)).size).toBe(1);
      expect(refusals[0]?.status).toBe(404);
      expect(await show(jobId)).toMatchObject({ state: "running", claim_number: 1 });
      expect(await ledgerOf(jobId)).toHaveLength(1);
      await finishJob(world, winners[0] ?? "", jobId);
    }
  });

  it("ten get the ten jobs, each another one, the oldest first", async () => {
    const { token } = (await registrationTokens({ uses: 10 })).body;
    const jobs: string[] = [];
    for (let at = 0; at < 10; at++) jobs.push(await world.startJob());
    const taken = await Promise.all(
      Array.from({ length: 10 }, async (_, at) => {
        const named = registration(`each-${at}`);
        const { body } = await world.as(token, "POST", "/api/v1/self_hosted_agents/register", named);
        const { body: answer } = await sync(world, body.token, "waiting-for-jobs");
        await finishJob(world, body.token, answer.job_id);
        return answer.job_id as string;
      }),
    );
    expect(taken.toSorted()).toEqual(jobs.toSorted());
    const [first, second] = [await world.startJob(), await world.startJob()];
    expect((await sync(world, agent, "waiting-for-jobs")).body.job_id).toBe(first);
    await finishJob(world, agent, first);
    await stop(second);
  });

  it("none gets a job of another agent type", async () => {
    const policy = { project_ids: [world.projectId], refs: ["refs/**"] };
    const { body: type } = await world.as(world.owner, "POST", "/api/v1/agent-types", { name: "macos", policy });
    const jobId = await world.startJob({ agent_type: "macos" });
    expect((await sync(world, agent, "waiting-for-jobs")).body.action).toBe("continue");
    expect(type.name).toBe("macos");
    await stop(jobId);
  });
});

describe("a repeated fetch", () => {
  it("hands over the same token byte for byte, with one row in the ledger, until the job runs", async () => {
    await world.startJob(jobWithKeys("handed"));
    const { jobId, request } = await takeJob(world, agent);
    const first = envOf(request, "SEMAPHORE_OIDC_TOKEN");
    expect(first).toMatch(/^eyJ/);
    for (let time = 0; time < 3; time++) {
      const again = await fetchJob(world, agent, jobId);
      expect(again.status).toBe(200);
      expect(again.body).toEqual(request);
      await sync(world, agent, "starting-job", jobId);
    }
    expect(await ledgerOf(jobId)).toHaveLength(1);
    await sync(world, agent, "running-job", jobId);
    expect((await fetchJob(world, agent, jobId)).status).toBe(404);
    await sync(world, agent, "finished-job", jobId, "passed");
    expect((await fetchJob(world, agent, jobId)).status).toBe(404);
  });

  it("of ten at once never gives two tokens: each answers with the same one, or to try again", async () => {
    await world.startJob(jobWithKeys("handed"));
    const { body } = await sync(world, agent, "waiting-for-jobs");
    const answers = await Promise.all(Array.from({ length: 10 }, () => fetchJob(world, agent, body.job_id)));
    const good = answers.filter(({ status }) => status === 200);
    expect(good.length).toBeGreaterThan(0);
    for (const answer of answers) expect([200, 503]).toContain(answer.status);
    expect(new Set(good.map((answer) => envOf(answer.body, "SEMAPHORE_OIDC_TOKEN"))).size).toBe(1);
    const after = await fetchJob(world, agent, body.job_id);
    expect(envOf(after.body, "SEMAPHORE_OIDC_TOKEN")).toBe(envOf(good[0]?.body, "SEMAPHORE_OIDC_TOKEN"));
    expect(await ledgerOf(body.job_id)).toHaveLength(1);
    await finishJob(world, agent, body.job_id);
  });
});

describe("a job that its agent fetches again and again", () => {
  it("is refused in the end, with not a row in the record for what was refused", async () => {
    await world.startJob(jobWithKeys("handed"));
    const { jobId } = await takeJob(world, agent);
    for (let time = 1; time < limits.jobFetches; time++) {
      expect((await fetchJob(world, agent, jobId)).status).toBe(200);
    }
    const before = await rowCounts(harness);
    for (let time = 0; time < 3; time++) {
      const refused = await fetchJob(world, agent, jobId);
      expect([refused.status, refused.body.code]).toEqual([429, "too_many"]);
    }
    expect(await rowCounts(harness)).toEqual(before);
    await finishJob(world, agent, jobId);
  });
});

describe("a job that is another agent's", () => {
  it("is not found, the same as one that does not exist, whoever asks and whatever it does", async () => {
    const other = await world.agent();
    const queued = await world.startJob();
    expect((await fetchJob(world, other, queued)).status).toBe(404);
    const { jobId } = await takeJob(world, agent);
    expect(jobId).toBe(queued);
    const foreign = await fetchJob(world, other, jobId);
    const missing = await fetchJob(world, other, "00000000-0000-7000-8000-000000000000");
    expect([foreign.status, comparable(foreign)]).toEqual([404, comparable(missing)]);
    await finishJob(world, agent, jobId);
  });

  it("is not found by an agent whose type has stopped serving the project", async () => {
    const projectId = await addProject(world, "served-once");
    const policy = { project_ids: [projectId], refs: ["refs/**"] };
    await world.as(world.owner, "POST", "/api/v1/agent-types", { name: "served", policy });
    const started = await world.as(world.owner, "POST", `/api/v1/projects/${projectId}/jobs`, {
      name: "x",
      ref: "refs/heads/main",
      sha: "0".repeat(40),
      agent_type: "served",
      spec: { commands: ["true"] },
    });
    const { body: types } = await world.as(world.owner, "GET", "/api/v1/agent-types?name=served");
    const tokens = await world.as(
      world.owner,
      "POST",
      `/api/v1/agent-types/${types.items[0].id}/registration-tokens`,
      {},
    );
    const registered = await world.as(
      tokens.body.token,
      "POST",
      "/api/v1/self_hosted_agents/register",
      registration("s-1"),
    );
    await harness.db.prepare("DELETE FROM agent_type_projects WHERE project_id = ?").bind(projectId).run();
    expect((await sync(world, registered.body.token, "waiting-for-jobs")).body.action).toBe("continue");
    expect((await show(started.body.id)).state).toBe("queued");
  });
});

describe("a job that its agent gives back", () => {
  const interrupted = (each: string, state = "waiting-for-jobs") =>
    world.as(each, "POST", "/api/v1/self_hosted_agents/sync", {
      state,
      job_id: "",
      job_result: "",
      interrupted_at: Math.floor(Date.now() / 1000),
    });

  it("unseen goes to another under the next claim, and is not found by the first any more", async () => {
    const [first, second] = [await world.agent(), await world.agent()];
    const jobId = await world.startJob(jobWithKeys("handed"));
    expect((await sync(world, first, "waiting-for-jobs")).body.job_id).toBe(jobId);
    expect((await interrupted(first)).body).toMatchObject({ action: "shutdown", shutdown_reason: "interrupted" });
    expect(await show(jobId)).toMatchObject({ state: "queued", agent: null, started_at: null, claim_number: 1 });

    const taken = await takeJob(world, second);
    expect(taken.jobId).toBe(jobId);
    expect(await show(jobId)).toMatchObject({ state: "running", claim_number: 2 });
    expect((await fetchJob(world, first, jobId)).status).toBe(404);
    await sync(world, first, "finished-job", jobId, "failed");
    expect((await show(jobId)).state).toBe("running");
    await finishJob(world, second, jobId);
    expect((await show(jobId)).result).toBe("passed");
    expect((await ledgerOf(jobId)).map((row: { claim_number: number }) => row.claim_number)).toEqual([2]);
  });

  it("unseen three times is at fault itself, and fails", async () => {
    const jobId = await world.startJob();
    for (let claim = 1; claim <= 3; claim++) {
      const each = await world.agent();
      expect((await sync(world, each, "waiting-for-jobs")).body.job_id).toBe(jobId);
      await interrupted(each);
    }
    expect(await show(jobId)).toMatchObject({ state: "finished", result: "failed", claim_number: 3 });
    expect((await sync(world, agent, "waiting-for-jobs")).body.action).toBe("continue");
  });

  it("after it was handed over goes to nobody: it fails, and its log takes no more", async () => {
    const first = await world.agent();
    await world.startJob(jobWithKeys("handed"));
    const { jobId, logToken } = await takeJob(world, first);
    await interrupted(first);
    const job = await show(jobId);
    expect(job).toMatchObject({ state: "finished", result: "failed", claim_number: 1 });
    expect(job.reason).not.toBeNull();
    expect((await sync(world, agent, "waiting-for-jobs")).body.action).toBe("continue");
    expect((await push(world, logToken, jobId, 0, [output("late\n")])).status).toBe(422);
  });
});

describe("a job that is stopped between claim and fetch", () => {
  it("hands over nothing: no command, no key, no token; and ends as stopped, whatever its agent says", async () => {
    await world.startJob(jobWithKeys("handed"));
    const { body } = await sync(world, agent, "waiting-for-jobs");
    await stop(body.job_id);
    const fetched = await fetchJob(world, agent, body.job_id);
    expect(fetched.status).toBe(200);
    expect(fetched.body).toMatchObject({ job_id: body.job_id, commands: [], env_vars: [], files: [] });
    expect(fetched.body.logger.method).toBe("push");
    expect(fetched.text).not.toContain(Buffer.from("handed-over-value").toString("base64"));
    expect(await ledgerOf(body.job_id)).toEqual([]);
    expect((await sync(world, agent, "starting-job", body.job_id)).body.action).toBe("continue");
    expect((await sync(world, agent, "running-job", body.job_id)).body.action).toBe("stop-job");
    await sync(world, agent, "finished-job", body.job_id, "passed");
    expect(await show(body.job_id)).toMatchObject({ state: "finished", result: "stopped" });
    const actions = (await auditOf(body.job_id)).map(({ action }) => action);
    expect(actions).not.toContain("key.unseal");
    expect(actions).not.toContain("identity.mint");
  });
});

describe("a job that is stopped after it was handed over", () => {
  it("hands over nothing more, and what was handed over stays masked", async () => {
    const jobId = await world.startJob(jobWithKeys("handed"));
    const { logToken } = await takeJob(world, agent);
    expect((await stop(jobId)).body.state).toBe("stopping");
    // The first answer may have been lost: the agent asks again.
    const again = await fetchJob(world, agent, jobId);
    expect(again.body.commands).toEqual([]);
    expect(envOf(again.body, "HANDED")).toBeUndefined();
    expect((await push(world, logToken, jobId, 0, [output("it was handed-over-value\n")])).status).toBe(200);
    const log = await world.as(world.owner, "GET", `/api/v1/logs/${jobId}?raw=true`);
    expect(log.text).toBe("it was ***\n");
    await finishJob(world, agent, jobId, "stopped");
    expect((await show(jobId)).result).toBe("stopped");
  });
});

describe("an agent that registered through a token which leaked", () => {
  it("is ended with it and all that was made with it, and the job that it has fails", async () => {
    const leaked = (await world.as(world.owner, "POST", "/api/v1/tokens", { name: "leaked", role: "manager" })).body;
    const path = `/api/v1/agent-types/${world.agentTypeId}/registration-tokens`;
    const { token } = (await world.as(leaked.token, "POST", path, { uses: 2 })).body;
    const register = (name: string) =>
      world.as(token, "POST", "/api/v1/self_hosted_agents/register", registration(name));
    const stranger = (await register("stranger")).body.token;
    const jobId = await world.startJob(jobWithKeys("handed"));
    await takeJob(world, stranger);
    expect((await world.as(world.owner, "DELETE", `/api/v1/tokens/${leaked.id}?made=true`)).status).toBe(204);
    expect((await sync(world, stranger, "running-job", jobId)).status).toBe(404);
    expect((await register("another")).status).toBe(404);
    expect(await show(jobId)).toMatchObject({ state: "finished", result: "failed" });
  });
});

describe("the record of a hand-over", () => {
  it("has a row for the fetch, for each key that was opened and for the mint, and no secret", async () => {
    const keyId = await addKey(world, "second", {
      type: "login_password",
      login: "l",
      password: "handed-over-password",
    });
    await world.startJob(jobWithKeys("handed", "second"));
    const { jobId, request } = await takeJob(world, agent);
    const rows = await auditOf(jobId);
    const count = (action: string) => rows.filter((row) => row.action === action).length;
    expect([count("job.fetch"), count("key.unseal"), count("identity.mint")]).toEqual([1, 2, 1]);
    expect(rows.filter((row) => row.action === "key.unseal").map((row) => row.key_id)).toContain(keyId);
    const [mint] = await ledgerOf(jobId);
    expect(rows.find((row) => row.action === "identity.mint")?.details).toEqual({
      jti: mint.jti,
      kid: mint.kid,
      sub: mint.sub,
    });
    const text = JSON.stringify(rows);
    expect(text).not.toContain("handed-over");
    expect(text).not.toContain(envOf(request, "SEMAPHORE_OIDC_TOKEN"));
    await finishJob(world, agent, jobId);
  });

  it.each(["audit", "identity_ledger"])("stands first: where %s refuses, nothing is handed over", async (table) => {
    const jobId = await world.startJob(jobWithKeys("handed"));
    const { body } = await sync(world, agent, "waiting-for-jobs");
    expect(body.job_id).toBe(jobId);
    await harness.db
      .prepare(`CREATE TRIGGER down BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'the table is down'); END`)
      .run();
    try {
      const before = await rowCounts(harness);
      for (let time = 0; time < 2; time++) {
        const refused = await fetchJob(world, agent, jobId);
        expect([refused.status, refused.body.code]).toEqual([500, "internal"]);
        expect(Object.keys(refused.body).toSorted()).toEqual([
          "code",
          "detail",
          "request_id",
          "status",
          "title",
          "type",
        ]);
        expect(refused.text).not.toContain("the table is down");
      }
      expect(await rowCounts(harness)).toEqual(before);
      expect((await show(jobId)).state).toBe("running");
    } finally {
      await harness.db.prepare("DROP TRIGGER down").run();
    }
    const fetched = await fetchJob(world, agent, jobId);
    expect(envOf(fetched.body, "HANDED")).toBe("handed-over-value");
    expect(await ledgerOf(jobId)).toHaveLength(1);
    await finishJob(world, agent, jobId);
  });
});
