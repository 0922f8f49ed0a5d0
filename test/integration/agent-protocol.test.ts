/** The self-hosted agent's wire, to the letter: what the official agent v2.4.0 sends and must be answered. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  createWorld,
  fetchJob,
  finishJob,
  push,
  registration,
  sync,
  takeJob,
  type World,
} from "../support/api.ts";
import { type Harness, issuer, startHarness } from "../support/harness.ts";
import { rawRequest } from "../support/raw-request.ts";

let harness: Harness;
let world: World;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
});
afterAll(() => harness.close());

const base = "/api/v1/self_hosted_agents";

/** One call as Go's client makes it: no content type, the agent's own headers, Content-Length always. */
function asAgent(method: string, path: string, token: string, body = "", scheme = "Token"): Promise<Answer> {
  return rawRequest(harness, {
    method,
    path,
    headers: {
      "user-agent": "SemaphoreAgent/v2.4.0",
      "accept-encoding": "gzip",
      authorization: `${scheme} ${token}`,
      "content-length": String(Buffer.byteLength(body)),
    },
    body,
  });
}

const syncBody = (state: string, jobId = "", jobResult = "") =>
  `{"state":"${state}","job_id":"${jobId}","job_result":"${jobResult}","interrupted_at":0}`;

const registrationToken = async () =>
  (await world.as(world.owner, "POST", `/api/v1/agent-types/${world.agentTypeId}/registration-tokens`, {})).body.token;

const stop = (jobId: string) => world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);

const show = async (jobId: string) => (await world.as(world.owner, "GET", `/api/v1/jobs/${jobId}`)).body;

/** The recorded log, in the agent's own bytes. */
const recordedLog = [
  '{"event":"job_started","timestamp":1795169265}',
  '{"event":"cmd_started","timestamp":1795169265,"directive":"Exporting environment variables"}',
  '{"event":"cmd_output","timestamp":1795169265,"output":"Exporting CI\\n"}',
  '{"event":"cmd_finished","timestamp":1795169265,"directive":"Exporting environment variables","exit_code":0,"started_at":1795169265,"finished_at":1795169265}',
  '{"event":"cmd_started","timestamp":1795169265,"directive":"exit 1"}',
  '{"event":"cmd_output","timestamp":1795169265,"output":"\\u003cb\\u003e \\u0026 \\u001b[0m\\n"}',
  '{"event":"cmd_finished","timestamp":1795169265,"directive":"exit 1","exit_code":1,"started_at":1795169265,"finished_at":1795169265}',
  '{"event":"job_finished","timestamp":1795169266,"result":"failed"}',
];

describe("the recorded exchange", () => {
  it("replays with exactly the answers that the official agent understands", async () => {
    const jobId = await world.startJob();
    const body = JSON.stringify(registration("agent-name-1"));
    const registered = await asAgent("POST", `${base}/register`, await registrationToken(), body);
    expect(registered.status).toBe(201);
    expect(registered.body).toEqual({ name: "agent-name-1", token: expect.stringMatching(/^sbx_agt_/) });
    const access = registered.body.token;

    const given = await asAgent("POST", `${base}/sync`, access, syncBody("waiting-for-jobs"));
    expect(given.status).toBe(200);
    expect(given.body).toEqual({ action: "run-job", job_id: jobId, shutdown_reason: "", next_sync_after: 100 });

    const fetched = await asAgent("GET", `${base}/jobs/${jobId}`, access);
    expect(fetched.status).toBe(200);
    expect(fetched.body).toMatchObject({
      job_id: jobId,
      job_name: "Tests",
      executor: "shell",
      commands: [{ directive: "echo hi" }],
      files: [],
      ssh_public_keys: [],
      logger: { method: "push", url: `${issuer}/api/v1/logs/${jobId}` },
    });
    const { logger } = fetched.body;

    for (let tick = 0; tick < 3; tick++) {
      const running = await asAgent("POST", `${base}/sync`, access, syncBody("running-job", jobId));
      expect(running.status).toBe(200);
      expect(running.body).toEqual({ action: "continue", job_id: "", shutdown_reason: "", next_sync_after: 100 });
    }
    const lines = `${recordedLog.join("\n")}\n`;
    const pushed = await asAgent("POST", `${new URL(logger.url).pathname}?start_from=0`, logger.token, lines, "Bearer");
    expect([pushed.status, pushed.text]).toEqual([200, ""]);

    const finished = await asAgent("POST", `${base}/sync`, access, syncBody("finished-job", jobId, "failed"));
    expect(finished.status).toBe(200);
    expect(finished.body).toEqual({ action: "wait-for-jobs", job_id: "", shutdown_reason: "", next_sync_after: 100 });

    const idle = await asAgent("POST", `${base}/sync`, access, syncBody("waiting-for-jobs"));
    expect(idle.body.action).toBe("continue");
    expect((await asAgent("POST", `${base}/disconnect`, access)).status).toBe(200);

    expect(await show(jobId)).toMatchObject({ state: "finished", result: "failed", reason: null });
    const log = await world.as(world.owner, "GET", `/api/v1/logs/${jobId}`);
    expect(log.body).toEqual({ events: recordedLog.map((line) => JSON.parse(line)), next: null });
    const raw = await world.as(world.owner, "GET", `/api/v1/logs/${jobId}?raw=true`);
    expect(raw.text).toBe("Exporting environment variables\nExporting CI\nexit 1\n<b> & \u001b[0m\n");
  });

  it("replays its 401: a push with a token that is no more, a refresh, and the same batch again", async () => {
    const agent = await world.agent();
    await world.startJob();
    const { jobId } = await takeJob(world, agent);
    const path = `/api/v1/logs/${jobId}?start_from=0`;
    const lines = `${recordedLog[0]}\n`;
    expect((await asAgent("POST", path, "LOG1", lines, "Bearer")).status).toBe(401);
    const refreshed = await asAgent("POST", `${base}/refresh`, agent);
    expect(refreshed.status).toBe(200);
    expect(Object.keys(refreshed.body)).toEqual(["token"]);
    const again = await asAgent("POST", path, refreshed.body.token, lines, "Bearer");
    expect([again.status, again.text]).toEqual([200, ""]);
    await finishJob(world, agent, jobId);
  });

  it("replays its stop", async () => {
    const agent = await world.agent();
    await world.startJob();
    const { jobId, logToken } = await takeJob(world, agent);
    await sync(world, agent, "running-job", jobId);
    await stop(jobId);
    expect((await sync(world, agent, "running-job", jobId)).body).toMatchObject({ action: "stop-job", job_id: jobId });
    expect((await push(world, logToken, jobId, 0, recordedLog)).status).toBe(200);
    expect((await sync(world, agent, "stopping-job", jobId)).body.action).toBe("continue");
    expect((await sync(world, agent, "finished-job", jobId, "stopped")).body.action).toBe("wait-for-jobs");
    expect(await show(jobId)).toMatchObject({ state: "finished", result: "stopped" });
  });
});

describe("the rules that keep the official agent alive", () => {
  it("never stop-job while the job is starting; stop it once it runs, by its id, until it is finished", async () => {
    const agent = await world.agent();
    await world.startJob();
    const { jobId } = await takeJob(world, agent);
    await stop(jobId);
    for (let tick = 0; tick < 3; tick++) {
      expect((await sync(world, agent, "starting-job", jobId)).body.action).toBe("continue");
    }
    for (let tick = 0; tick < 3; tick++) {
      expect((await sync(world, agent, "running-job", jobId)).body).toMatchObject({
        action: "stop-job",
        job_id: jobId,
      });
    }
    expect((await sync(world, agent, "stopping-job", jobId)).body.action).toBe("continue");
    await sync(world, agent, "finished-job", jobId, "stopped");
  });

  it("never run-job unless it waits, though a job is queued; nor shutdown or wait-for-jobs while it runs", async () => {
    const agent = await world.agent();
    await world.startJob();
    const { jobId } = await takeJob(world, agent);
    const queued = await world.startJob();
    const interrupted = Math.floor(Date.now() / 1000);
    for (const state of ["starting-job", "running-job", "stopping-job"]) {
      for (const interrupted_at of [0, interrupted]) {
        const said = { state, job_id: jobId, job_result: "", interrupted_at };
        const { body } = await world.as(agent, "POST", `${base}/sync`, said);
        expect([state, interrupted_at, ["continue", "stop-job"].includes(body.action)]).toEqual([
          state,
          interrupted_at,
          true,
        ]);
        if (state !== "running-job") expect(body.action).toBe("continue");
      }
    }
    expect((await show(queued)).state).toBe("queued");
    await sync(world, agent, "finished-job", jobId, "passed");
    await stop(queued);
  });

  it("sends run-job again until the agent says that it has the job", async () => {
    const agent = await world.agent();
    const jobId = await world.startJob();
    const other = await world.startJob();
    for (let tick = 0; tick < 3; tick++) {
      const { body } = await sync(world, agent, "waiting-for-jobs");
      expect(body).toMatchObject({ action: "run-job", job_id: jobId });
    }
    expect(await show(jobId)).toMatchObject({ state: "running", claim_number: 1 });
    await fetchJob(world, agent, jobId);
    await finishJob(world, agent, jobId);
    await stop(other);
  });

  it("takes finished-job as often as it comes: the first result stands", async () => {
    const agent = await world.agent();
    await world.startJob();
    const { jobId } = await takeJob(world, agent);
    await sync(world, agent, "running-job", jobId);
    for (const result of ["passed", "passed", "failed"]) {
      const answer = await sync(world, agent, "finished-job", jobId, result);
      expect([answer.status, answer.body.action]).toEqual([200, "wait-for-jobs"]);
    }
    expect(await show(jobId)).toMatchObject({ state: "finished", result: "passed" });
    expect((await world.as(world.owner, "GET", `/api/v1/logs/${jobId}`)).body.next).toBeNull();
  });

  it("tells an agent that runs what is not its own to stop that, and leaves the job alone", async () => {
    const [mine, theirs] = [await world.agent(), await world.agent()];
    await world.startJob();
    const { jobId } = await takeJob(world, theirs);
    await sync(world, theirs, "running-job", jobId);
    expect((await sync(world, mine, "running-job", jobId)).body).toMatchObject({ action: "stop-job", job_id: jobId });
    expect((await sync(world, mine, "finished-job", jobId, "passed")).body.action).toBe("wait-for-jobs");
    for (const strange of [randomUUID(), "nothing", "' OR 1=1"]) {
      expect((await sync(world, mine, "finished-job", strange, "failed")).status).toBe(200);
    }
    expect((await show(jobId)).state).toBe("running");
    expect((await sync(world, theirs, "running-job", jobId)).body.action).toBe("continue");
    await sync(world, theirs, "finished-job", jobId, "passed");
  });

  it("answers finished-job with shutdown to a single-job agent, and gives it no second job", async () => {
    const said = { ...registration(`single-${randomUUID().slice(0, 8)}`), single_job: true };
    const { body } = await world.as(await registrationToken(), "POST", `${base}/register`, said);
    await world.startJob();
    const next = await world.startJob();
    const { jobId } = await takeJob(world, body.token);
    await sync(world, body.token, "running-job", jobId);
    const finished = await sync(world, body.token, "finished-job", jobId, "passed");
    expect(finished.body).toMatchObject({ action: "shutdown", shutdown_reason: "job-finished" });
    expect((await sync(world, body.token, "waiting-for-jobs")).body.action).not.toBe("run-job");
    await stop(next);
  });

  it("shuts an interrupted agent down: at once when idle, after its job otherwise", async () => {
    const now = Math.floor(Date.now() / 1000);
    const interrupted = (agent: string, state: string, job_id = "", job_result = "") =>
      world.as(agent, "POST", `${base}/sync`, { state, job_id, job_result, interrupted_at: now });
    const idle = await world.agent();
    await world.startJob();
    expect((await interrupted(idle, "waiting-for-jobs")).body).toMatchObject({
      action: "shutdown",
      shutdown_reason: "interrupted",
    });
    const busy = await world.agent();
    const { jobId } = await takeJob(world, busy);
    await sync(world, busy, "running-job", jobId);
    expect((await interrupted(busy, "running-job", jobId)).body).toMatchObject({ action: "stop-job", job_id: jobId });
    expect((await interrupted(busy, "finished-job", jobId, "stopped")).body).toMatchObject({
      action: "shutdown",
      shutdown_reason: "interrupted",
    });
    expect((await show(jobId)).result).toBe("stopped");
  });
});

describe("calls that are wrong get the protocol's own codes", () => {
  const calls: [string, string, string][] = [
    ["POST", `${base}/register`, JSON.stringify(registration("agent-name-2"))],
    ["POST", `${base}/sync`, syncBody("waiting-for-jobs")],
    ["GET", `${base}/jobs/${randomUUID()}`, ""],
    ["POST", `${base}/refresh`, ""],
    ["POST", `${base}/disconnect`, ""],
  ];

  it.each(calls)("%s %s: 401 without a credential, 404 with one that is unknown", async (method, path, body) => {
    const headers = { "content-length": String(body.length) };
    for (const authorization of [undefined, "Token", "Basic eDp5", "sbx_agt_x"]) {
      const sent = authorization === undefined ? headers : { ...headers, authorization };
      const answer = await rawRequest(harness, { method, path, headers: sent, body });
      expect([authorization, answer.status]).toEqual([authorization, 401]);
    }
    for (const kind of ["agt", "reg", "api"]) {
      expect([kind, (await asAgent(method, path, `sbx_${kind}_${"A".repeat(43)}`, body)).status]).toEqual([kind, 404]);
    }
    expect((await asAgent(method, path, world.owner, body)).status).toBe(404);
  });

  it("422 where register and sync are not JSON, 400 where a name is none", async () => {
    const agent = await world.agent();
    for (const body of ["", "{", "state=waiting-for-jobs"]) {
      expect([body, (await asAgent("POST", `${base}/sync`, agent, body)).status]).toEqual([body, 422]);
      expect([body, (await asAgent("POST", `${base}/register`, await registrationToken(), body)).status]).toEqual([
        body,
        422,
      ]);
    }
    for (const name of ["", "a b", "a.b", "é", "x".repeat(81), "https://sts.example.com/"]) {
      const body = JSON.stringify(registration(name));
      expect([name, (await asAgent("POST", `${base}/register`, await registrationToken(), body)).status]).toEqual([
        name,
        400,
      ]);
    }
    const forOneJob = JSON.stringify({ ...registration("for-one-job"), job_id: randomUUID() });
    expect((await asAgent("POST", `${base}/register`, await registrationToken(), forOneJob)).status).toBe(400);
  });

  it("fields that nobody knows are no reason to refuse", async () => {
    const body = JSON.stringify({ ...registration(`newer-${randomUUID().slice(0, 8)}`), later: { field: 1 } });
    const registered = await asAgent("POST", `${base}/register`, await registrationToken(), body);
    expect(registered.status).toBe(201);
    const said = JSON.stringify({ state: "waiting-for-jobs", job_id: "", job_result: "", interrupted_at: 0, more: [] });
    expect((await asAgent("POST", `${base}/sync`, registered.body.token, said)).status).toBe(200);
  });

  it("422 for a refresh without a job, before and after one", async () => {
    const agent = await world.agent();
    expect((await asAgent("POST", `${base}/refresh`, agent)).status).toBe(422);
    await world.startJob();
    const { jobId } = await takeJob(world, agent);
    expect((await asAgent("POST", `${base}/refresh`, agent)).status).toBe(200);
    await finishJob(world, agent, jobId);
    expect((await asAgent("POST", `${base}/refresh`, agent)).status).toBe(422);
  });

  it("a disconnect is answered alike as often as it comes, is recorded once, and fails the agent's job", async () => {
    const departures = () =>
      harness.db.prepare("SELECT count(*) AS n FROM audit WHERE action = 'agent.disconnect'").first<number>("n");
    const before = (await departures()) ?? 0;
    const agent = await world.agent();
    await world.startJob();
    const { jobId } = await takeJob(world, agent);
    await sync(world, agent, "running-job", jobId);
    for (let time = 0; time < 3; time++) {
      const answer = await asAgent("POST", `${base}/disconnect`, agent);
      expect([answer.status, answer.text]).toEqual([200, "disconnected"]);
    }
    expect(await show(jobId)).toMatchObject({ state: "finished", result: "failed", reason: "its agent disconnected" });
    expect(await departures()).toBe(before + 1);
    expect((await sync(world, agent, "waiting-for-jobs")).status).toBe(404);
    expect((await asAgent("POST", `${base}/refresh`, agent)).status).toBe(404);
    expect((await fetchJob(world, agent, jobId)).status).toBe(404);
  });

  it("a push's: 400 without a position, 401 for another job, 422 once the job has ended", async () => {
    const agent = await world.agent();
    await world.startJob();
    const { jobId, logToken } = await takeJob(world, agent);
    const line = `${recordedLog[0]}\n`;
    const pushTo = (path: string) => asAgent("POST", path, logToken, line, "Bearer");
    for (const query of ["", "?start_from=", "?start_from=-1", "?start_from=x", "?start_from=1.5"]) {
      expect([query, (await pushTo(`/api/v1/logs/${jobId}${query}`)).status]).toEqual([query, 400]);
    }
    expect((await pushTo(`/api/v1/logs/${randomUUID()}?start_from=0`)).status).toBe(401);
    await finishJob(world, agent, jobId);
    expect((await pushTo(`/api/v1/logs/${jobId}?start_from=0`)).status).toBe(422);
  });
});
