/** Projects: made once, changed by revision, and their protected refs as jobs see them. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addProject, comparable, createWorld, jobStart, type World } from "../support/api.ts";
import { rowCounts } from "../support/at-rest.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
});
afterAll(() => harness.close());

const create = (body: object) => world.as(world.owner, "POST", "/api/v1/projects", body);

const bodyOf = (name: string) => ({ name, repository: { name, slug: `acme/${name}` } });

const patch = (id: string, body: unknown, revision?: string, token = world.owner) =>
  world.as(token, "PATCH", `/api/v1/projects/${id}`, body, revision === undefined ? {} : { "if-match": revision });

describe("a new project", () => {
  it("protects its default branch, which is main, and limits jobs to an hour unless more is said", async () => {
    const answer = await create(bodyOf("defaults"));
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      name: "defaults",
      repository: { name: "defaults", slug: "acme/defaults", url: "", provider: "git" },
      settings: { default_branch: "refs/heads/main", protected_refs: null, job_time_limit_seconds: 3600 },
      revision: 1,
    });
    const shown = await world.as(world.owner, "GET", `/api/v1/projects/${answer.body.id}`);
    expect(shown.body).toEqual(answer.body);
    const listed = await world.as(world.owner, "GET", "/api/v1/projects?name=defaults");
    expect(listed.body).toEqual({ items: [answer.body], next: null });
  });

  it("whose name or repository is taken is refused by that field, and nothing is written", async () => {
    await create(bodyOf("first"));
    const before = await rowCounts(harness);
    const sameName = await create({ ...bodyOf("first"), repository: { name: "other", slug: "acme/other" } });
    expect([sameName.status, sameName.body.errors[0].pointer]).toEqual([409, "/name"]);
    const sameRepository = await create({ ...bodyOf("second"), repository: { name: "first", slug: "acme/first" } });
    expect([sameRepository.status, sameRepository.body.errors[0].pointer]).toEqual([409, "/repository/name"]);
    expect(await rowCounts(harness)).toEqual(before);
  });

  it.each([
    ["/name", { name: "Upper" }],
    ["/name", { name: "" }],
    ["/name", { name: "-dash" }],
    ["/name", { name: "a".repeat(64) }],
    ["/name", { name: "tilde~" }],
    ["/name", { name: "a:b" }],
    ["/repository/slug", { repository: { name: "x", slug: "no-slash" } }],
    ["/repository/name", { repository: { name: "x y", slug: "a/b" } }],
    ["/repository/url", { repository: { name: "x", slug: "a/b", url: "https://git.example.com/\u0000" } }],
    ["/repository/url", { repository: { name: "x", slug: "a/b", url: "https://git.example.com/\n" } }],
    ["/settings/default_branch", { settings: { default_branch: "main" } }],
    ["/settings/default_branch", { settings: { default_branch: "refs/tags/v1" } }],
    ["/settings/protected_refs/0", { settings: { protected_refs: ["main"] } }],
    ["/settings/protected_refs/0", { settings: { protected_refs: ["refs/***"] } }],
    ["/settings/protected_refs", { settings: { protected_refs: Array<string>(65).fill("refs/heads/x") } }],
    ["/settings/job_time_limit_seconds", { settings: { job_time_limit_seconds: 86_401 } }],
    ["/settings/job_time_limit_seconds", { settings: { job_time_limit_seconds: 1.5 } }],
    ["/id", { id: "not-a-uuid" }],
  ])("is refused at %s for %j", async (pointer, over) => {
    const before = await rowCounts(harness);
    const answer = await create({ ...bodyOf("refused"), ...over });
    expect(answer.status).toBe(400);
    expect(new Set(answer.body.errors.map((error: { pointer: string }) => error.pointer))).toEqual(new Set([pointer]));
    expect(await rowCounts(harness)).toEqual(before);
  });

  it("is retried by client id, and one of ten at once makes it", async () => {
    const body = { id: randomUUID(), ...bodyOf("retried") };
    const answers = await Promise.all(Array.from({ length: 10 }, () => create(body)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array<number>(9).fill(200), 201]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const other = await create({ ...body, settings: { job_time_limit_seconds: 60 } });
    expect([other.status, other.body.errors[0].pointer]).toEqual([409, "/id"]);
  });
});

describe("a project's settings", () => {
  it("change where they are named and stay where they are not, one revision on", async () => {
    const id = await addProject(world, "changing");
    const first = await patch(id, { job_time_limit_seconds: 60 });
    expect(first.body).toMatchObject({ revision: 2, settings: { job_time_limit_seconds: 60, protected_refs: null } });
    const second = await patch(id, { protected_refs: ["refs/heads/release/*"] });
    expect(second.body).toMatchObject({
      revision: 3,
      settings: { job_time_limit_seconds: 60, protected_refs: ["refs/heads/release/*"] },
    });
    const third = await patch(id, { protected_refs: null });
    expect(third.body.settings.protected_refs).toBeNull();
    expect((await world.as(world.owner, "GET", `/api/v1/projects/${id}`)).body).toEqual(third.body);
  });

  it("change for the revision that was read alone: of ten at once on one revision one wins", async () => {
    const id = await addProject(world, "contended");
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) => patch(id, { job_time_limit_seconds: 100 + at }, '"1"')),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array<number>(9).fill(412)]);
    const won = answers.find(({ status }) => status === 200);
    expect((await world.as(world.owner, "GET", `/api/v1/projects/${id}`)).body).toEqual(won?.body);
    expect((await patch(id, { job_time_limit_seconds: 60 }, '"1"')).status).toBe(412);
    expect((await patch(id, { job_time_limit_seconds: 60 }, '"2"')).status).toBe(200);
    expect((await patch(id, { job_time_limit_seconds: 61 }, "*")).status).toBe(200);
    expect((await patch(id, { job_time_limit_seconds: 60 }, "soon")).status).toBe(400);
    const audited = await harness.db
      .prepare("SELECT count(*) AS n FROM audit WHERE action = 'project.change' AND project_id = ?")
      .bind(id)
      .first("n");
    expect(audited).toBe(3);
  });

  it("without a revision all of ten at once apply, none lost", async () => {
    const id = await addProject(world, "unconditional");
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, () => patch(id, { job_time_limit_seconds: 77 })),
      ...Array.from({ length: 5 }, () => patch(id, { protected_refs: ["refs/heads/kept"] })),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(10).fill(200));
    const { body } = await world.as(world.owner, "GET", `/api/v1/projects/${id}`);
    expect(body).toMatchObject({
      revision: 11,
      settings: { job_time_limit_seconds: 77, protected_refs: ["refs/heads/kept"] },
    });
  });

  it("do not change by an empty patch, nor name, repository or what nobody knows", async () => {
    const id = await addProject(world, "unchanging");
    for (const body of [
      {},
      { name: "renamed" },
      { repository: { name: "x", slug: "a/b" } },
      { default_branch: null },
      null,
    ]) {
      expect([body, (await patch(id, body)).status]).toEqual([body, 400]);
    }
    expect((await world.as(world.owner, "GET", `/api/v1/projects/${id}`)).body.revision).toBe(1);
  });

  it("decide which refs are protected for jobs started from then on", async () => {
    const runner = await world.tokenOf("task_runner");
    const start = (ref: string) =>
      world.as(runner, "POST", `/api/v1/projects/${world.projectId}/jobs`, { ...jobStart(), ref });
    expect((await start("refs/heads/main")).status).toBe(403);
    const free = await start("refs/heads/release/1");
    expect(free.body.git.ref_protected).toBe(false);
    await patch(world.projectId, { protected_refs: ["refs/heads/release/*"] });
    expect((await start("refs/heads/release/1")).status).toBe(403);
    expect((await start("refs/heads/release/1/2")).body.git.ref_protected).toBe(false);
    expect((await start("refs/heads/main")).body.git.ref_protected).toBe(false);
    const shown = await world.as(runner, "GET", `/api/v1/jobs/${free.body.id}`);
    expect(shown.body.git.ref_protected).toBe(false);
    await patch(world.projectId, { protected_refs: null });
  });
});

describe("a project that one may not see", () => {
  it("looks like none, to read and to change, and is in no list", async () => {
    const theirs = await addProject(world, "theirs");
    const mine = await world.tokenOf("owner");
    const before = await rowCounts(harness);
    const calls: [string, string, unknown?][] = [
      ["GET", ""],
      ["PATCH", "", { job_time_limit_seconds: 60 }],
      ["GET", "/keys"],
      ["POST", "/keys", { name: "x", secret: { type: "none" } }],
      ["GET", "/jobs"],
      ["POST", "/jobs", jobStart()],
    ];
    for (const [method, tail, body] of calls) {
      const [foreign, missing] = await Promise.all(
        [theirs, randomUUID()].map((id) => world.as(mine, method, `/api/v1/projects/${id}${tail}`, body)),
      );
      expect([method, tail, foreign?.status]).toEqual([method, tail, 404]);
      expect(foreign && comparable(foreign)).toBe(missing && comparable(missing));
    }
    const malformed = await world.as(mine, "GET", "/api/v1/projects/not-a-uuid");
    expect([malformed.status, malformed.body.detail]).toEqual([404, "not found, or not visible to you"]);
    const upper = await world.as(mine, "GET", `/api/v1/projects/${world.projectId.toUpperCase()}`);
    expect(upper.status).toBe(404);
    for (const query of ["", "?name=theirs"]) {
      const listed = await world.as(mine, "GET", `/api/v1/projects${query}`);
      expect(listed.text).not.toContain(theirs);
    }
    expect(await rowCounts(harness)).toEqual(before);
  });
});
