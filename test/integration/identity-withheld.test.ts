/** Which jobs get no identity token, whose names are never given away again, and what a project's ledger shows. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { addProject, createWorld, envOf, finishJob, jobStart, takeJob, type World } from "../support/api.ts";
import { noticesOf } from "../support/at-rest.ts";
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

const settings = (patch: object) => world.as(world.owner, "PATCH", `/api/v1/projects/${world.projectId}`, patch);
const names = ["SEMAPHORE_OIDC_TOKEN", "SEMAPHORE_OIDC_REQUEST_URL", "SEMAPHORE_OIDC_REQUEST_TOKEN"];
const payload = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

/** Makes the job, while it waits, one of a fork: what starts such jobs is not there yet. */
async function becomeFork(jobId: string): Promise<void> {
  const git = { ref: "refs/pull/12/head", ref_type: "pr", fork: true, proof: "webhook", trg: "webhook" };
  const update = `UPDATE workflows SET git = json_patch(git, ?) WHERE id = (
    SELECT p.workflow_id FROM pipelines p JOIN jobs j ON j.pipeline_id = p.id WHERE j.id = ?)`;
  await harness.db.batch([
    harness.db.prepare(update).bind(JSON.stringify(git), jobId),
    harness.db.prepare(`UPDATE agent_types SET policy = json_set(policy, '$.forks', json('true'))`),
  ]);
}

async function run(over: object, fork = false) {
  const jobId = await world.startJob(over as Record<string, unknown>);
  if (fork) await becomeFork(jobId);
  const { request } = await takeJob(world, agent);
  const notices = await noticesOf(harness, jobId);
  await finishJob(world, agent, jobId);
  return { jobId, token: envOf(request, names[0] ?? ""), set: names.filter((name) => envOf(request, name)), notices };
}

it("a job, or a project, that sets identity to none gets no token, no way to ask for one, and its log says why", async () => {
  const ofJob = await run({ spec: { ...jobStart().spec, identity: "none" } });
  expect([ofJob.set, ofJob.notices.join()]).toEqual([[], expect.stringContaining("the job sets identity to none")]);
  expect((await settings({ identity: "none" })).body.settings.identity).toBe("none");
  const ofProject = await run({});
  expect([ofProject.set, ofProject.notices.join()]).toEqual([[], expect.stringContaining("the project sets")]);
  const preview = await world.as(world.owner, "POST", `/api/v1/projects/${world.projectId}/identity/preview`, {
    ref: "refs/heads/main",
  });
  expect([preview.body.minted, preview.body.reason]).toEqual([false, "the project sets identity to none"]);
  await settings({ identity: "default" });
  expect((await run({})).set).toEqual(names);
  const bad = await world.as(world.owner, "POST", `/api/v1/projects/${world.projectId}/jobs`, {
    ...jobStart(),
    spec: { ...jobStart().spec, identity: "some" },
  });
  expect([bad.status, bad.body.errors[0].pointer]).toEqual([400, "/spec/identity"]);
});

it("a job whose project stops giving identities while it runs is refused more tokens", async () => {
  const jobId = await world.startJob();
  const { request } = await takeJob(world, agent);
  await settings({ identity: "none" });
  const path = `/api/v1/jobs/${jobId}/identity/token?v=1`;
  const answer = await world.as(envOf(request, "SEMAPHORE_OIDC_REQUEST_TOKEN") ?? "", "GET", path);
  expect([answer.status, answer.body.detail]).toEqual([403, expect.stringContaining("identity to none")]);
  await settings({ identity: "default" });
  await finishJob(world, agent, jobId);
});

it("a fork's job gets a token only where its project says so, and one that says fork", async () => {
  const withheld = await run({}, true);
  expect([withheld.set, withheld.notices.join()]).toEqual([[], expect.stringContaining("jobs of forks get none")]);
  await settings({ fork_tokens: true });
  const { token = "" } = await run({}, true);
  expect(payload(token)).toMatchObject({ fork: "true", ref_type: "fork", branch: "", ref: "refs/pull/12/head" });
  expect(payload(token).sub).toContain(":ref_type:fork:ref:refs/pull/12/head");
  await settings({ fork_tokens: false });
});

it("the names and the id of a deleted project are never another's", async () => {
  const id = await addProject(world, "gone");
  await harness.db.prepare("DELETE FROM projects WHERE id = ?").bind(id).run();
  const make = async (body: object) => {
    const answer = await world.as(world.owner, "POST", "/api/v1/projects", body);
    return [answer.status, answer.body.errors?.[0]?.pointer];
  };
  const repository = (name: string) => ({ name, slug: "acme/x" });
  expect(await make({ name: "gone", repository: repository("gone") })).toEqual([409, "/repository/name"]);
  expect(await make({ id, name: "other", repository: repository("other") })).toEqual([409, "/id"]);
  expect(await make({ id: randomUUID(), name: "gone", repository: repository("new") })).toEqual([201, undefined]);
  for (const statement of [
    "DELETE FROM subject_names",
    "UPDATE subject_names SET project_id = 'x'",
    "UPDATE projects SET repository_name = 'x'",
    "UPDATE organization SET name = 'x'",
  ]) {
    await expect(harness.db.prepare(statement).run(), statement).rejects.toThrow("a name in a subject");
  }
});

it("a project's ledger shows its managers every mint of its jobs, newest first, by audience, in pages, and no other's", async () => {
  const elsewhere = await addProject(world, "elsewhere");
  const made = [(await run({})).jobId, (await run({})).jobId];
  const path = `/api/v1/projects/${world.projectId}/identity/ledger`;
  const manager = await world.tokenOf("manager");
  const page = (await world.as(manager, "GET", `${path}?limit=2`)).body;
  expect(page.items.map(({ job_id }: { job_id: string }) => job_id)).toEqual(made.toReversed());
  const rest = (await world.as(manager, "GET", `${path}?cursor=${page.next}`)).body.items;
  expect(rest.length).toBeGreaterThan(0);
  expect(rest.map(({ job_id }: { job_id: string }) => job_id)).not.toContain(made[0]);
  expect((await world.as(manager, "GET", `${path}?audience=nobody`)).body.items).toEqual([]);
  const other = await world.as(world.owner, "GET", `/api/v1/projects/${elsewhere}/identity/ledger`);
  expect(other.body.items).toEqual([]);
});

it("the organization's word for pull requests is its owner's to set", async () => {
  const path = "/api/v1/organization";
  expect((await world.as(world.owner, "GET", path)).body.settings).toEqual({ pull_request_word: "pr" });
  const body = { pull_request_word: "pull-request" };
  expect((await world.as(world.owner, "PATCH", path, body)).body.settings).toEqual(body);
  const preview = await world.as(world.owner, "POST", `/api/v1/projects/${world.projectId}/identity/preview`, {
    ref: "refs/pull/12/head",
    fork: false,
  });
  expect(preview.body.claims.sub).toContain(":ref_type:pull-request:ref:");
  expect(preview.body.claims.ref_type).toBe("pr");
  expect((await world.as(world.owner, "PATCH", path, { name: "x" })).status).toBe(400);
});
