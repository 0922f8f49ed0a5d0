/** Jobs as people start, see and stop them: what is derived, what is refused, and that a refusal leaves nothing. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  addKey,
  addProject,
  comparable,
  createWorld,
  jobStart,
  jobWithKeys,
  sha,
  type World,
} from "../support/api.ts";
import { rowCounts } from "../support/at-rest.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;
let runner: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  runner = await world.tokenOf("task_runner");
});
afterAll(() => harness.close());

const start = (over: object = {}, token = world.owner, projectId = world.projectId) =>
  world.as(token, "POST", `/api/v1/projects/${projectId}/jobs`, { ...jobStart(), ...over });

const withSpec = (spec: object) => start({ spec: { commands: ["true"], ...spec } });

/** Asks, and holds that nothing at all was written. */
async function refused(ask: () => Promise<Answer>): Promise<Answer> {
  const before = await rowCounts(harness);
  const answer = await ask();
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(await rowCounts(harness)).toEqual(before);
  return answer;
}

const errorOf = ({ status, body }: Answer) => [status, body.errors?.[0]?.pointer];

describe("a started job", () => {
  it("is queued, shown alike everywhere, newest first, and carries a workflow and a pipeline of its own", async () => {
    const first = await start();
    const second = await start({ name: "Second" });
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({
      project_id: world.projectId,
      name: "Tests",
      agent_type: "linux",
      state: "queued",
      result: null,
      claim_number: 0,
      agent: null,
      time_limit_seconds: 3600,
      started_at: null,
      finished_at: null,
    });
    const ids = [first, second].flatMap(({ body }) => [body.id, body.workflow_id, body.pipeline_id]);
    expect(new Set(ids).size).toBe(6);
    expect((await world.as(runner, "GET", `/api/v1/jobs/${first.body.id}`)).body).toEqual(first.body);
    const listed = await world.as(runner, "GET", `/api/v1/projects/${world.projectId}/jobs?limit=2`);
    expect(listed.body.items).toEqual([second.body, first.body]);
  });

  it("takes its time limit from the caller, at most the project's", async () => {
    expect((await start({ time_limit_seconds: 60 })).body.time_limit_seconds).toBe(60);
    expect((await start({ time_limit_seconds: 86_400 })).body.time_limit_seconds).toBe(3600);
    expect(errorOf(await refused(() => start({ time_limit_seconds: 86_401 })))).toEqual([400, "/time_limit_seconds"]);
    expect(errorOf(await refused(() => start({ time_limit_seconds: 9 })))).toEqual([400, "/time_limit_seconds"]);
  });

  it("is retried by client id: twenty at once queue one, another body conflicts", async () => {
    const id = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => start({ id })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array<number>(19).fill(200), 201]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(errorOf(await refused(() => start({ id, name: "Other" })))).toEqual([409, "/id"]);
    expect(errorOf(await refused(() => start({ id }, runner)))).toEqual([403, undefined]);
  });
});

describe("a project's list of jobs", () => {
  it("pages through every job once, newest first, while new ones come", async () => {
    const projectId = await addProject(world, "listed");
    const policy = { project_ids: [projectId] };
    await world.as(world.owner, "POST", "/api/v1/agent-types", { name: "listed", policy });
    const made: string[] = [];
    for (let at = 0; at < 7; at++)
      made.unshift((await start({ agent_type: "listed" }, world.owner, projectId)).body.id);
    const seen: string[] = [];
    let cursor = "";
    for (;;) {
      const { body } = await world.as(world.owner, "GET", `/api/v1/projects/${projectId}/jobs?limit=3${cursor}`);
      seen.push(...body.items.map((job: { id: string }) => job.id));
      if (body.next === null) break;
      cursor = `&cursor=${body.next}`;
      await start({ agent_type: "listed" }, world.owner, projectId);
    }
    expect(seen).toEqual(made);
  });
});

describe("the git context", () => {
  it("is derived from the ref: branch or tag, protected or not, by the word of the API", async () => {
    const of = async (ref: string) => (await start({ ref })).body.git;
    const common = { sha, fork: false, pull_request: null, trg: "api", proof: "api" };
    expect(await of("refs/heads/main")).toEqual({
      ...common,
      ref: "refs/heads/main",
      ref_type: "branch",
      ref_protected: true,
    });
    expect(await of("refs/heads/a/b-é")).toEqual({
      ...common,
      ref: "refs/heads/a/b-é",
      ref_type: "branch",
      ref_protected: false,
    });
    expect(await of("refs/tags/v1")).toEqual({ ...common, ref: "refs/tags/v1", ref_type: "tag", ref_protected: false });
    expect((await of("refs/tags/main")).ref_protected).toBe(false);
    expect((await of("refs/heads/Main")).ref_protected).toBe(false);
    expect((await of("refs/heads/main2")).ref_protected).toBe(false);
  });

  it("is claimed by no caller", async () => {
    for (const field of ["ref_type", "ref_protected", "fork", "trg", "proof", "pull_request", "git", "repo"]) {
      const answer = await refused(() => start({ [field]: "x" }));
      expect([field, answer.status]).toEqual([field, 400]);
    }
  });

  it.each([
    "refs/pull/12/head",
    "refs/pull/12/merge",
    "refs/pull/1/x",
    "refs/pull/0/head",
    "refs/merge-requests/1/head",
    "refs/notes/x",
  ])("refuses %s, which a caller's word does not prove", async (ref) => {
    expect(errorOf(await refused(() => start({ ref })))).toEqual([422, "/ref"]);
  });

  it.each([
    "",
    "main",
    "HEAD",
    "refs/heads",
    "refs/heads/",
    "/refs/heads/main",
    "refs//heads/main",
    "refs/heads/a..b",
    "refs/heads/.hidden",
    "refs/heads/a.lock",
    "refs/heads/a.lock/b",
    "refs/heads/a b",
    "refs/heads/a~1",
    "refs/heads/a^",
    "refs/heads/a:b",
    "refs/heads/a?",
    "refs/heads/*",
    "refs/heads/[a]",
    "refs/heads/a\\b",
    "refs/heads/a@{0}",
    "refs/heads/a.",
    "refs/heads/a\n",
    "refs/heads/a\u007f",
    "refs/heads/\ud800",
    "heads/main",
    "Refs/heads/main",
    `refs/heads/${"a".repeat(1024)}`,
  ])("refuses %j, which git would refuse", async (ref) => {
    const answer = await start({ ref });
    expect(errorOf(answer)).toEqual([400, "/ref"]);
  });

  it.each(["", "HEAD", sha.slice(1), sha.toUpperCase(), `${sha}0`, `${sha}\n`])(
    "refuses the commit %j",
    async (bad) => {
      expect(errorOf(await start({ sha: bad }))).toEqual([400, "/sha"]);
    },
  );

  it("on a protected ref takes a manager; a task runner starts on the others", async () => {
    const answer = await refused(() => start({ ref: "refs/heads/main" }, runner));
    expect(answer.status).toBe(403);
    expect(answer.body.detail).toContain("manager");
    expect((await start({ ref: "refs/heads/free" }, runner)).status).toBe(201);
    expect((await start({ ref: "refs/heads/main" }, await world.tokenOf("manager"))).status).toBe(201);
  });
});

describe("a start that cannot work is refused, and nothing is queued", () => {
  it("for an agent type that does not exist or takes no jobs of the project, in the same words", async () => {
    const other = await addProject(world, "other");
    await world.as(world.owner, "POST", "/api/v1/agent-types", { name: "theirs", policy: { project_ids: [other] } });
    const missing = await refused(() => start({ agent_type: "nowhere" }));
    const foreign = await refused(() => start({ agent_type: "theirs" }));
    expect(errorOf(missing)).toEqual([422, "/agent_type"]);
    expect(comparable(foreign)).toBe(comparable(missing));
  });

  it("for a ref that the agent type does not take", async () => {
    const project_ids = [world.projectId];
    await world.as(world.owner, "POST", "/api/v1/agent-types", { name: "guarded", policy: { project_ids } });
    const answer = await refused(() => start({ agent_type: "guarded", ref: "refs/heads/free" }));
    expect(errorOf(answer)).toEqual([422, "/agent_type"]);
    expect(answer.body.detail).toContain("refs/heads/free");
    expect((await start({ agent_type: "guarded", ref: "refs/heads/main" })).status).toBe(201);
  });

  it("for a key that does not exist in the project, though another project has it", async () => {
    const projectId = await addProject(world, "has-it");
    await addKey(world, "over-there", { type: "string", value: "x" }, { projectId });
    const foreign = await refused(() => start(jobWithKeys("over-there")));
    expect(errorOf(foreign)).toEqual([422, "/spec/keys/0/key"]);
    const missing = await refused(() => start(jobWithKeys("nowhere")));
    expect(comparable(missing)).toBe(comparable(foreign));
  });

  it("for a key whose policy refuses, naming what was compared with what", async () => {
    const secret = { type: "string", value: "x" };
    await addKey(world, "tags-only", secret, { policy: { refs: ["refs/tags/v*"] } });
    await addKey(world, "protected-only", secret, { policy: {} });
    await addKey(world, "other-type", secret, { policy: { refs: ["refs/**"], agent_types: ["macos"] } });
    await addKey(world, "webhook-only", secret, { policy: { refs: ["refs/**"], proofs: ["webhook"] } });
    await addKey(world, "no-branches", secret, { policy: { refs: ["refs/**"], ref_types: ["tag"] } });
    const detailOf = async (key: string) => {
      const answer = await refused(() => start({ ...jobWithKeys(key), ref: "refs/heads/free" }));
      expect(errorOf(answer)).toEqual([422, "/spec/keys/0/key"]);
      return answer.body.detail;
    };
    expect(await detailOf("tags-only")).toContain("refs/heads/free matches none of refs/tags/v*");
    expect(await detailOf("protected-only")).toContain("refs/heads/free is not a protected ref");
    expect(await detailOf("other-type")).toContain("agent type linux is none of macos");
    expect(await detailOf("webhook-only")).toContain("proven by api");
    expect(await detailOf("no-branches")).toContain("ref type branch is none of tag");
    expect((await start({ ...jobWithKeys("tags-only"), ref: "refs/tags/v1" })).status).toBe(201);
    expect((await start({ ...jobWithKeys("protected-only"), ref: "refs/heads/main" })).status).toBe(201);
  });

  it("for a key that cannot be delivered as asked", async () => {
    await addKey(world, "text", { type: "string", value: "x" });
    await addKey(world, "empty", { type: "none" });
    const withKeys = (keys: object[], more: object = {}) => refused(() => withSpec({ keys, ...more }));
    expect(errorOf(await withKeys([{ key: "empty" }]))).toEqual([422, "/spec/keys/0/key"]);
    expect(errorOf(await withKeys([{ key: "text", env: { password: "A" } }]))).toEqual([
      422,
      "/spec/keys/0/env/password",
    ]);
    const file = { path: "a", field: "login" };
    expect(errorOf(await withKeys([{ key: "text", file }]))).toEqual([422, "/spec/keys/0/file/field"]);
    expect(errorOf(await withKeys([{ key: "text" }, { key: "text" }]))).toEqual([422, "/spec/keys/1"]);
    const env = [{ name: "TEXT", value: "x" }];
    expect(errorOf(await withKeys([{ key: "text" }], { env }))).toEqual([422, "/spec/keys/0"]);
  });

  it("for more keys or more secret bytes than a job may have", async () => {
    const uses = Array.from({ length: 51 }, (_, at) => ({ key: "text", env: { value: `V${at}` } }));
    expect(errorOf(await refused(() => withSpec({ keys: uses })))).toEqual([400, "/spec/keys"]);
    const value = "x".repeat(64 * 1024);
    for (const at of [1, 2, 3, 4, 5]) await addKey(world, `large-${at}`, { type: "string", value });
    const large = (count: number) => start(jobWithKeys(...[1, 2, 3, 4, 5].slice(0, count).map((at) => `large-${at}`)));
    expect(errorOf(await refused(() => large(5)))).toEqual([422, "/spec/keys"]);
    expect((await large(4)).status).toBe(201);
  });

  it.each(["", "1A", "A-B", "A B", "A=B", "A;B", "$(id)", "é", "A\n", "a".repeat(257)])(
    "for the variable name %j, which a shell would run or drop",
    async (name) => {
      const asEnv = await refused(() => withSpec({ env: [{ name, value: "x" }] }));
      expect(errorOf(asEnv)).toEqual([400, "/spec/env/0/name"]);
      const asKey = await refused(() => withSpec({ keys: [{ key: "text", env: { value: name } }] }));
      expect(errorOf(asKey)).toEqual([400, "/spec/keys/0/env/value"]);
    },
  );

  it("for a variable that tells the job who it is, by env and by key", async () => {
    for (const name of ["SEMAPHORE_OIDC_TOKEN", "SEMAPHORE_JOB_ID", "SEMAPHORE_GIT_REF", "SEMAPHORE_NEW"]) {
      const asEnv = await refused(() => withSpec({ env: [{ name, value: "x" }] }));
      expect(errorOf(asEnv)).toEqual([400, "/spec/env/0/name"]);
      const asKey = await refused(() => withSpec({ keys: [{ key: "text", env: { value: name } }] }));
      expect(errorOf(asKey)).toEqual([400, "/spec/keys/0/env/value"]);
    }
    expect((await withSpec({ env: [{ name: "SEMAPHORE_GIT_DEPTH", value: "1" }] })).status).toBe(201);
  });

  it("for values, files and commands that no agent could take", async () => {
    const cases: [string, object][] = [
      ["/spec/env/0/value", { env: [{ name: "A", value: "a\0b" }] }],
      [
        "/spec/env",
        {
          env: [
            { name: "A", value: "1" },
            { name: "A", value: "2" },
          ],
        },
      ],
      ["/spec/env", { env: Array.from({ length: 301 }, (_, at) => ({ name: `A${at}`, value: "" })) }],
      ["/spec/files/0/content", { files: [{ path: "a", content: "not base64!" }] }],
      ["/spec/files/0/mode", { files: [{ path: "a", content: "", mode: "644" }] }],
      ["/spec/files/0/path", { files: [{ path: "../a", content: "" }] }],
      ["/spec/files/0/path", { files: [{ path: "a/", content: "" }] }],
      ["/spec/commands", { commands: [] }],
      ["/spec/commands/0", { commands: [""] }],
      ["/spec/commands/0", { commands: ["a\0"] }],
      ["/spec/commands", { commands: Array<string>(1001).fill("true") }],
      ["/spec/comands", { comands: [] }],
    ];
    for (const [pointer, spec] of cases) {
      expect([errorOf(await refused(() => withSpec(spec))), spec]).toEqual([[400, pointer], spec]);
    }
  });

  it("for a name or path that is not Unicode: it would be stored as another", async () => {
    expect(errorOf(await refused(() => start({ name: "a\ud800b" })))).toEqual([400, "/name"]);
    const files = [{ path: "a\ud800b", content: "" }];
    expect(errorOf(await refused(() => withSpec({ files })))).toEqual([400, "/spec/files/0/path"]);
  });

  it("for a spec over 256 KiB, by its size as JSON", async () => {
    const answer = await refused(() => withSpec({ commands: ["é".repeat(128 * 1024)] }));
    expect(errorOf(answer)).toEqual([413, "/spec"]);
    expect((await withSpec({ commands: ["é".repeat(127 * 1024)] })).status).toBe(201);
  });

  it("for a body over 1 MiB", async () => {
    const answer = await refused(() => withSpec({ commands: ["x".repeat(1024 * 1024)] }));
    expect([answer.status, answer.body.code]).toEqual([413, "too_large"]);
  });
});
