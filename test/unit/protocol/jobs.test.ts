import { describe, expect, test } from "vitest";
import { ApiTokenCreate } from "../../../src/protocol/accounts.ts";
import { AgentName, SyncRequest } from "../../../src/protocol/agent-protocol.ts";
import { AgentTypePolicy, RegistrationTokenCreate } from "../../../src/protocol/agent-types.ts";
import { JobSpec, JobStart } from "../../../src/protocol/jobs.ts";
import { Page } from "../../../src/protocol/list.ts";
import { ProjectCreate, protectedRefs } from "../../../src/protocol/projects.ts";
import { idOf } from "../worker/fixtures.ts";

const spec = (changes: object) => JobSpec.safeParse({ commands: ["true"], ...changes });
const start = (changes: object) =>
  JobStart.safeParse({
    name: "n",
    ref: "refs/heads/main",
    sha: "a".repeat(40),
    agent_type: "linux",
    spec: { commands: ["true"] },
    ...changes,
  });

describe("a job's specification", () => {
  test("is, where nothing is said, its commands alone", () => {
    expect(JobSpec.parse({ commands: ["a", { directive: "b", alias: "B" }] })).toEqual({
      commands: [{ directive: "a" }, { directive: "b", alias: "B" }],
      epilogue: { always: [], on_pass: [], on_fail: [] },
      env: [],
      files: [],
      keys: [],
    });
  });

  test("survives being sealed as JSON and read again", () => {
    const once = JobSpec.parse({
      commands: ["a"],
      keys: [{ key: "k", file: { path: "x" } }],
      files: [{ path: "f", content: "" }],
    });
    expect(JobSpec.parse(JSON.parse(JSON.stringify(once)))).toEqual(once);
  });

  test.each<[string, object]>([
    ["no command", { commands: [] }],
    ["an empty command", { commands: [""] }],
    ["a command with NUL", { commands: ["a\0"] }],
    ["a command that is no Unicode", { commands: ["\ud800"] }],
    ["an alias that would paint a terminal", { commands: [{ directive: "a", alias: "\u001b[2J" }] }],
    ["more commands than the limit", { commands: new Array(1001).fill("a") }],
    [
      "a variable twice",
      {
        env: [
          { name: "A", value: "1" },
          { name: "A", value: "2" },
        ],
      },
    ],
    ["a variable of ours", { env: [{ name: "SEMAPHORE_OIDC_TOKEN", value: "x" }] }],
    ["a key's part in a variable of ours", { keys: [{ key: "k", env: { value: "SEMAPHORE_JOB_ID" } }] }],
    ["a variable that is shell", { env: [{ name: "A=1;id", value: "x" }] }],
    ["more variables than the limit", { env: Array.from({ length: 301 }, (_, n) => ({ name: `A${n}`, value: "" })) }],
    ["a part that no key has", { keys: [{ key: "k", env: { secret: "A" } }] }],
    ["more keys than the limit", { keys: Array.from({ length: 51 }, (_, n) => ({ key: `k${n}` })) }],
    ["a file upwards", { files: [{ path: "../x", content: "" }] }],
    ["a file that is not base64", { files: [{ path: "x", content: "a b" }] }],
    ["base64url", { files: [{ path: "x", content: "__-_" }] }],
    ["a member that we do not know", { secrets: [] }],
  ])("with %s is refused", (_, changes) => {
    expect(spec(changes).success).toBe(false);
  });
});

describe("a job's start", () => {
  test("takes a ref and a commit and no word on the rest of the git context", () => {
    expect(start({}).success).toBe(true);
    for (const claimed of ["ref_type", "fork", "ref_protected", "proof", "trg", "pull_request", "git", "project_id"]) {
      expect(start({ [claimed]: "branch" }).success, claimed).toBe(false);
    }
  });

  test("takes a time limit from 10 s to 24 h", () => {
    for (const good of [10, 86_400, undefined]) expect(start({ time_limit_seconds: good }).success).toBe(true);
    for (const bad of [9, 86_401, 1.5, "60", null]) expect(start({ time_limit_seconds: bad }).success).toBe(false);
  });
});

test("an agent's sync is read leniently where a state is known, and its result only where it is one", () => {
  expect(SyncRequest.parse({ state: "waiting-for-jobs", extra: 1 })).toEqual({
    state: "waiting-for-jobs",
    job_id: "",
    job_result: "",
    interrupted_at: 0,
  });
  expect(SyncRequest.parse({ state: "finished-job", job_result: "exploded" }).job_result).toBe("");
  expect(SyncRequest.parse({ state: "finished-job", job_result: "stopped" }).job_result).toBe("stopped");
  for (const state of ["", "running", null]) expect(SyncRequest.safeParse({ state }).success).toBe(false);
});

test("an agent's name is of the protocol's characters, at most 80", () => {
  for (const good of ["a", "A-z_0/9+", "x".repeat(80)]) expect(AgentName.safeParse(good).success).toBe(true);
  for (const bad of ["", "a b", "a.b", "ä", "a\n", "x".repeat(81)])
    expect(AgentName.safeParse(bad).success).toBe(false);
});

test("what is not said is the safe thing: one use, one hour, no forks, protected refs, 90 days", () => {
  expect(RegistrationTokenCreate.parse({})).toEqual({ uses: 1, expires_in_seconds: 3600 });
  expect(AgentTypePolicy.parse({ project_ids: [idOf(1)] })).toEqual({
    project_ids: [idOf(1)],
    refs: "protected",
    forks: false,
  });
  expect(ApiTokenCreate.parse({ name: "t", role: "guest" })).toMatchObject({
    project_id: null,
    expires_in_seconds: 7_776_000,
  });
  expect(AgentTypePolicy.safeParse({ project_ids: [] }).success).toBe(false);
});

test("a project protects its default branch, or what it says, be it nothing", () => {
  const repository = { name: "web", slug: "acme/web" };
  const { settings } = ProjectCreate.parse({ name: "p", repository });
  expect(protectedRefs(settings)).toEqual(["refs/heads/main"]);
  expect(protectedRefs({ ...settings, protected_refs: ["refs/tags/*"] })).toEqual(["refs/tags/*"]);
  expect(protectedRefs({ ...settings, protected_refs: [] })).toEqual([]);
  expect(ProjectCreate.safeParse({ name: "p", repository, settings: { default_branch: "refs/tags/v1" } }).success).toBe(
    false,
  );
});

test("a page is 1 to 1000 items, 100 where nothing is said", () => {
  expect(Page.parse({})).toEqual({ limit: 100 });
  expect(Page.parse({ limit: "7" })).toEqual({ limit: 7 });
  for (const limit of ["0", "1001", "-1", "1.5", "x", "Infinity"])
    expect(Page.safeParse({ limit }).success, limit).toBe(false);
});
