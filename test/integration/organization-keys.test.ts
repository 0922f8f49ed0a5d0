/** Keys of the organization: there in the projects that they are shared with, and nowhere else. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { recordHandOver } from "../../src/worker/agents/hand-over-store.ts";
import { insertJob } from "../../src/worker/jobs/jobs-store.ts";
import { isGuardFailure } from "../../src/worker/lib/d1.ts";
import type { EpochMs } from "../../src/worker/lib/time.ts";
import {
  addKey,
  addProject,
  comparable,
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
import { rowCounts } from "../support/at-rest.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;
let agent: string;
let elsewhere: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
  elsewhere = await addProject(world, "elsewhere");
});
afterAll(() => harness.close());

const as = (token: string, method: string, path: string, body?: unknown) => world.as(token, method, path, body);
const owner = (method: string, path: string, body?: unknown) => as(world.owner, method, path, body);

async function organizationKey(name: string, value = "of all"): Promise<string> {
  const secret = { type: "string", value };
  const answer = await owner("POST", "/api/v1/keys", { name, secret, policy: { refs: ["refs/**"] } });
  expect([answer.status, answer.body.project_id]).toEqual([201, null]);
  return answer.body.id;
}

const share = (id: string, projectId = world.projectId) =>
  owner("POST", `/api/v1/keys/${id}/shares`, { project_id: projectId });
const unshare = (id: string, projectId = world.projectId) => owner("DELETE", `/api/v1/keys/${id}/shares/${projectId}`);
const inProject = (id: string, projectId = world.projectId) => `/api/v1/projects/${projectId}/keys/${id}`;
const start = (name: string, projectId = world.projectId) =>
  owner("POST", `/api/v1/projects/${projectId}/jobs`, jobWithKeys(name));

/** The agent takes the job, which is refused before it starts; answers why. */
async function refusalOf(job: string): Promise<string> {
  await sync(world, agent, "waiting-for-jobs");
  expect((await fetchJob(world, agent, job)).status).toBe(404);
  const { body } = await owner("GET", `/api/v1/jobs/${job}`);
  await sync(world, agent, "waiting-for-jobs");
  return body.reason;
}

it("a key that is not shared with a project is there exactly as one that does not exist", async () => {
  const id = await organizationKey("unshared");
  await share(id, elsewhere);
  const manager = await world.tokenOf("manager");
  const missing = crypto.randomUUID();
  const views: [string, (key: string) => string, unknown?][] = [
    ["GET", (key) => inProject(key)],
    ["PATCH", (key) => inProject(key), { name: "mine" }],
    ["DELETE", (key) => inProject(key)],
    ["POST", (key) => `${inProject(key)}/decision`, { ref: "refs/heads/main", agent_type: "linux" }],
    ["GET", (key) => `${inProject(key)}/hand-overs`],
  ];
  for (const [method, path, body] of views) {
    const [seen, absent] = [await as(manager, method, path(id), body), await as(manager, method, path(missing), body)];
    expect([seen.status, comparable(seen)]).toEqual([404, comparable(absent)]);
  }
  const { body } = await as(manager, "GET", `/api/v1/projects/${world.projectId}/keys`);
  expect(body.items.map((key: { id: string }) => key.id)).not.toContain(id);
  expect(comparable(await start("unshared"))).toBe(comparable(await start("unshared".replace("un", "never-"))));
});

it("a shared key is listed, judged and handed over as the project's own, and its use is told to both", async () => {
  const id = await organizationKey("shared");
  const [first, again] = [await share(id), await share(id)];
  expect([first.status, again.status, again.body]).toEqual([201, 200, first.body]);
  const manager = await world.tokenOf("manager");
  expect((await as(manager, "GET", inProject(id))).body).toMatchObject({ name: "shared", project_id: null });
  const question = { ref: "refs/heads/main", agent_type: "linux" };
  expect((await as(manager, "POST", `${inProject(id)}/decision`, question)).body.allowed).toBe(true);
  await world.startJob(jobWithKeys("shared"));
  const { jobId, request } = await takeJob(world, agent);
  expect(envOf(request, "SHARED")).toBe("of all");
  await finishJob(world, agent, jobId);
  const handed = [{ id: jobId, project_id: world.projectId }];
  expect((await owner("GET", `/api/v1/keys/${id}/hand-overs`)).body.items).toMatchObject(handed);
  expect((await as(manager, "GET", `${inProject(id)}/hand-overs`)).body.items).toMatchObject(handed);
  expect((await owner("GET", `/api/v1/keys/${id}`)).body.last_used_job).toBe(jobId);
});

it("a project sees when its own jobs used a shared key, and of another project's use neither job nor time", async () => {
  const id = await organizationKey("used-by-one");
  await share(id);
  await share(id, elsewhere);
  await world.startJob(jobWithKeys("used-by-one"));
  const { jobId } = await takeJob(world, agent);
  await finishJob(world, agent, jobId);
  const seenFrom = async (projectId: string) => {
    const token = await world.tokenOf("guest", projectId);
    const shown = (await as(token, "GET", inProject(id, projectId))).body;
    const { items } = (await as(token, "GET", `/api/v1/projects/${projectId}/keys?name=used-by-one`)).body;
    expect(items).toEqual([shown]);
    return shown;
  };
  const user = await seenFrom(world.projectId);
  expect([user.last_used_job, typeof user.last_used_at]).toEqual([jobId, "string"]);
  expect(await seenFrom(elsewhere)).toMatchObject({ last_used_at: null, last_used_job: null });
  const { items } = (await owner("GET", `/api/v1/keys/${id}/shares`)).body;
  expect(items.map((item: { last_used_job: string | null }) => item.last_used_job)).toEqual([jobId, null]);
});

it("the projects of a key are listed in pages, each of them once", async () => {
  const id = await organizationKey("widely-shared");
  await share(id);
  await share(id, elsewhere);
  const page = async (cursor: string) =>
    (await owner("GET", `/api/v1/keys/${id}/shares?limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`)).body;
  const first = await page("");
  const second = await page(first.next);
  const listed = [...first.items, ...second.items].map((item: { project_id: string }) => item.project_id);
  expect([listed, second.next]).toEqual([[world.projectId, elsewhere], null]);
});

it("a manager of the project may not alter what it shares: that takes the role in the organization", async () => {
  const id = await organizationKey("guarded");
  await share(id);
  const manager = await world.tokenOf("manager");
  const before = await rowCounts(harness);
  for (const answer of [
    await as(manager, "PATCH", inProject(id), { name: "taken-over" }),
    await as(manager, "DELETE", `${inProject(id)}?force=true`),
    await as(manager, "GET", `/api/v1/keys/${id}`),
    await as(manager, "DELETE", `/api/v1/keys/${id}/shares/${world.projectId}`),
  ]) {
    expect([answer.status, answer.body.detail]).toEqual([403, expect.stringContaining("in the organization")]);
  }
  expect(await rowCounts(harness)).toEqual(before);
});

it("whoever may alter the organization's keys does so there: said of a project, it would reach all others", async () => {
  const id = await organizationKey("everywhere");
  await share(id);
  const before = await rowCounts(harness);
  for (const answer of [
    await owner("PATCH", inProject(id), { secret: { type: "string", value: "new" } }),
    await owner("DELETE", inProject(id)),
    await owner("DELETE", `${inProject(id)}?force=true`),
  ]) {
    expect([answer.status, answer.body.detail]).toEqual([409, expect.stringContaining("is the organization's")]);
  }
  expect(await rowCounts(harness)).toEqual(before);
  expect((await owner("GET", `/api/v1/keys/${id}`)).body.revision).toBe(1);
});

it("a name means one key in a project: whichever comes second is refused, and nothing is written", async () => {
  const id = await organizationKey("one-name");
  await addKey(world, "one-name", { type: "none" });
  const own = await addKey(world, "other-name", { type: "none" });
  const shared = await organizationKey("shared-name");
  await share(shared);
  const before = await rowCounts(harness);
  const none = { type: "none" };
  for (const [answer, pointer] of [
    [await share(id), "/project_id"],
    [await owner("POST", `/api/v1/projects/${world.projectId}/keys`, { name: "shared-name", secret: none }), "/name"],
    [await owner("PATCH", inProject(own), { name: "shared-name" }), "/name"],
    [await owner("PATCH", `/api/v1/keys/${shared}`, { name: "other-name" }), "/name"],
    [await owner("POST", "/api/v1/keys", { name: "shared-name", secret: none }), "/name"],
  ] as const) {
    expect([answer.status, answer.body.errors?.[0]?.pointer]).toEqual([409, pointer]);
  }
  expect(await rowCounts(harness)).toEqual(before);
  expect((await owner("PATCH", `/api/v1/keys/${shared}`, { name: "free-name" })).status).toBe(200);
});

it("of a share and a project's key of its name that come at once, one stands", async () => {
  const none = { type: "none" };
  const keys = `/api/v1/projects/${world.projectId}/keys`;
  for (let round = 0; round < 5; round++) {
    const name = `at-once-${round}`;
    const id = await organizationKey(name);
    const answers = await Promise.all([share(id), owner("POST", keys, { name, secret: none })]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect((await owner("GET", `${keys}?name=${name}`)).body.items).toHaveLength(1);
  }
});

it("a project's key cannot be shared, and no share stands for a project or a key that is not there", async () => {
  const own = await addKey(world, "own", { type: "none" });
  const id = await organizationKey("lonely");
  const missing = crypto.randomUUID();
  const asked = [await share(own), await share(missing), await share(id, missing), await unshare(id)];
  expect(asked.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
});

it("a record that is moved between the organization and a project opens in neither", async () => {
  const id = await organizationKey("moved");
  await harness.db.prepare("UPDATE access_keys SET project_id = ? WHERE id = ?").bind(world.projectId, id).run();
  const down = (await start("moved")).body.id;
  expect(await refusalOf(down)).toContain("access key moved: ");
  const own = await addKey(world, "raised", { type: "string", value: "x" });
  await harness.db.prepare("UPDATE access_keys SET project_id = NULL WHERE id = ?").bind(own).run();
  await share(own);
  const up = (await start("raised")).body.id;
  expect(await refusalOf(up)).toContain("access key raised: ");
});

it("a key that is taken from a project reaches no job that has not got it yet, and the answer names those", async () => {
  const id = await organizationKey("taken");
  await share(id);
  const job = (await start("taken")).body.id;
  const answer = await unshare(id);
  expect(answer.body.broken_jobs).toMatchObject([{ id: job, state: "queued" }]);
  expect(await refusalOf(job)).toBe("access key taken: no such key in this project");
});

it("what was read and changed, or taken away, before its hand-over stood recorded does not leave", async () => {
  const id = await organizationKey("overtaken");
  await share(id);
  const started = (await start("overtaken")).body.id;
  await sync(world, agent, "waiting-for-jobs");
  const { body: job } = await owner("GET", `/api/v1/jobs/${started}`);
  const { body: key } = await owner("GET", `/api/v1/keys/${id}`);
  const maskKeyId = await harness.db.prepare("SELECT seals_with FROM sealing_state").first<number[]>("seals_with");
  const record = () =>
    recordHandOver(
      { db: harness.db, sealer: { write: (write) => write() }, clock: () => Date.now() as EpochMs },
      { agentId: job.agent.id, job, keys: [key], identity: null, maskKeyId: Uint8Array.from(maskKeyId ?? []) },
    );
  await owner("PATCH", `/api/v1/keys/${id}`, { secret: { type: "string", value: "new" } });
  const before = await rowCounts(harness);
  await expect(record()).rejects.toMatchObject({ code: "unavailable", detail: "an access key was just changed" });
  key.revision++;
  await unshare(id);
  const unshared = await rowCounts(harness);
  await expect(record()).rejects.toMatchObject({ code: "unavailable" });
  expect(await rowCounts(harness)).toEqual(unshared);
  expect(unshared.audit).toBe((before.audit ?? 0) + 1);
  await share(id);
  await expect(record()).resolves.toBeUndefined();
  expect(envOf((await fetchJob(world, agent, started)).body, "OVERTAKEN")).toBe("new");
  await finishJob(world, agent, started);
  await sync(world, agent, "waiting-for-jobs");
});

it("a job whose start looked a key up before it was taken away is not queued", async () => {
  const id = await organizationKey("lost-at-start");
  await share(id);
  const first = (await start("lost-at-start")).body;
  await owner("POST", `/api/v1/jobs/${first.id}/stop`);
  const spec = harness.db.prepare("SELECT sealed FROM job_specs WHERE job_id = ?").bind(first.id);
  const sealedSpec = Uint8Array.from((await spec.first<number[]>("sealed")) ?? []);
  const [jobId, workflow_id, pipeline_id] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
  const queue = () =>
    harness.db.batch(
      insertJob(harness.db, {
        job: { ...first, id: jobId, workflow_id, pipeline_id },
        agentTypeId: world.agentTypeId,
        sealedSpec,
        keys: [{ id, name: "lost-at-start" }],
        requestMac: new Uint8Array(32),
        createdAt: Date.now() as EpochMs,
      }),
    );
  await unshare(id);
  const before = await rowCounts(harness);
  await expect(queue()).rejects.toSatisfy(isGuardFailure);
  expect(await rowCounts(harness)).toEqual(before);
  await share(id);
  await queue();
  await owner("POST", `/api/v1/jobs/${jobId}/stop`);
});

it("a delete is refused while the key is shared or in use, by name; a forced one tells what it took from whom", async () => {
  const id = await organizationKey("wanted");
  await share(id);
  const job = (await start("wanted")).body.id;
  const refused = await owner("DELETE", `/api/v1/keys/${id}`);
  expect(refused.status).toBe(409);
  expect(refused.body.detail).toContain("shared with web");
  expect(refused.body.detail).toContain(job);
  const forced = await owner("DELETE", `/api/v1/keys/${id}?force=true`);
  expect(forced.body).toMatchObject({
    unshared: [{ project_id: world.projectId, project_name: "web" }],
    broken_jobs: [{ id: job }],
  });
  expect((await owner("GET", `/api/v1/keys/${id}/shares`)).status).toBe(404);
  expect(await refusalOf(job)).toContain("no such key");
  await owner("POST", `/api/v1/projects/${world.projectId}/jobs`, jobStart());
});
