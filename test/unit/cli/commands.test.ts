import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fakeApi, type Table } from "./fake-api.ts";
import { runCli } from "./support.ts";

const id = "0198d3a0-0000-7000-8000-000000000001";
const at = "2026-11-20T18:10:13.123Z";
const project = {
  id,
  name: "demo",
  repository: { name: "demo", slug: "local/demo", url: "", provider: "git" },
  settings: { default_branch: "refs/heads/main", protected_refs: null, job_time_limit_seconds: 3600 },
  revision: 4,
  created_at: at,
  created_by: id,
};
const accessKey = {
  id,
  project_id: id,
  name: "deploy",
  type: "string",
  policy: { refs: "protected", ref_types: ["branch"], agent_types: null, forks: false, proofs: ["api"] },
  revision: 1,
  secret_version: 1,
  created_at: at,
  created_by: id,
  last_used_at: null,
  last_used_job: null,
};
const job = {
  id,
  project_id: id,
  workflow_id: id,
  pipeline_id: id,
  name: "j",
  agent_type: "local",
  git: {
    ref: "refs/heads/main",
    ref_type: "branch",
    sha: "0".repeat(40),
    ref_protected: true,
    fork: false,
    pull_request: null,
    trg: "api",
    proof: "api",
  },
  state: "queued",
  result: null,
  reason: null,
  claim_number: 0,
  agent: null,
  time_limit_seconds: 3600,
  created_at: at,
  created_by: id,
  started_at: null,
  finished_at: null,
  stop_requested_at: null,
};
const projects = { "GET /api/v1/projects": { items: [project], next: null } };

let folder: string;
let api: Awaited<ReturnType<typeof fakeApi>> | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalbox-test-"));
});
afterEach(async () => {
  await api?.close();
  api = undefined;
  await rm(folder, { recursive: true });
});

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

async function withApi(table: Table, argv: string[], stdin?: string) {
  api = await fakeApi(table);
  const env = { SIGNALBOX_TOKEN: "t0ken", SIGNALBOX_URL: api.url };
  return await runCli(argv, { env, ...(stdin === undefined ? {} : { stdin }) });
}

describe("the command line", () => {
  test("documents its exit codes", async () => {
    const { code, stdout } = await runCli(["--help"]);
    expect(code).toBe(0);
    for (const line of ["0    done", "1    refused", "2    the command", "3    the server", "130  stopped"]) {
      expect(stdout).toContain(line);
    }
  });

  for (const argv of [
    ["nope"],
    ["key", "create", "k"],
    ["agent-type", "token", "t", "--uses", "many"],
    ["logs", id, "--from", "-1"],
  ]) {
    test(`exits 2 for ${argv.join(" ")}`, async () => expect((await runCli(argv)).code).toBe(2));
  }

  test("has no option that takes a token or a secret itself", async () => {
    const helps = await Promise.all(
      [["--help"], ["key", "create", "--help"], ["agent", "start", "--help"], ["job", "run", "--help"]].map((argv) =>
        runCli(argv),
      ),
    );
    const flags = helps.flatMap(({ stdout }) => stdout.match(/--[a-z-]+ <[^>]+>/g) ?? []);
    const secretFlags = flags.filter((flag) =>
      /token|password|passphrase|private|value|secret/.test(flag.split(" ")[0] ?? ""),
    );
    expect(secretFlags.length).toBeGreaterThan(5);
    for (const flag of secretFlags) expect(flag).toMatch(/file>$|<name=file>$/);
  });

  test("exits 3 where nothing answers", async () => {
    const { code, stderr } = await runCli(["--url", "http://127.0.0.1:9", "project", "list"], {
      env: { SIGNALBOX_TOKEN: "x" },
    });
    expect([code, stderr]).toEqual([3, expect.stringContaining("cannot reach http://127.0.0.1:9")]);
  });
});

describe("credentials", () => {
  test("are never sent in clear over a network", async () => {
    const { code, stderr } = await runCli(["--url", "http://ci.example.com", "project", "list"], {
      env: { SIGNALBOX_TOKEN: "x" },
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining("use https")]);
  });

  test("of the local owner are not sent to another server", async () => {
    await file("owner-token", "local-owner\n");
    const env = { SIGNALBOX_DATA: folder };
    const { code, stderr } = await runCli(["--url", "https://ci.example.invalid", "project", "list"], { env });
    expect([code, stderr]).toEqual([2, expect.stringContaining("no API token")]);
  });

  test("of the local owner, and the local server's address, are found in the data folder", async () => {
    api = await fakeApi(projects);
    await file("owner-token", "local-owner\n");
    await file("url", `${api.url}\n`);
    const { code } = await runCli(["project", "list"], { env: { SIGNALBOX_DATA: folder } });
    expect(code).toBe(0);
    expect(api.asked[0]?.authorization).toBe("Bearer local-owner");
  });
});

describe("results", () => {
  test("are a table for people", async () => {
    const { stdout } = await withApi(projects, ["project", "list"]);
    expect(stdout).toBe(`NAME  REPOSITORY  DEFAULT BRANCH   ID\ndemo  local/demo  refs/heads/main  ${id}\n`);
  });

  test("are the API's own JSON with --json, wherever it stands", async () => {
    const { stdout } = await withApi(projects, ["project", "list", "--json"]);
    expect(JSON.parse(stdout)).toEqual([project]);
  });

  test("that name nothing visible exit 1", async () => {
    const { code, stderr } = await withApi({ "GET /api/v1/projects": { items: [], next: null } }, [
      "project",
      "show",
      "gone",
    ]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("no project named gone")]);
  });
});

describe("key create", () => {
  const table = { ...projects, [`POST /api/v1/projects/${id}/keys`]: accessKey };

  test("takes the value from standard input, without the newline that echo adds", async () => {
    const argv = ["key", "create", "deploy", "--project", "demo", "--type", "string", "--value-file", "-"];
    const { code } = await withApi(table, argv, "s3cret\n");
    expect(code).toBe(0);
    expect(api?.asked.at(-1)?.body).toMatchObject({
      name: "deploy",
      secret: { type: "string", value: "s3cret" },
      policy: {},
    });
  });

  test("turns its flags into the policy", async () => {
    const key = await file("id", "PEM");
    const policy = [
      "--refs",
      "refs/heads/*",
      "--refs",
      "refs/tags/**",
      "--ref-type",
      "tag",
      "--agent-type",
      "a",
      "--forks",
      "--proof",
      "webhook",
    ];
    await withApi(table, ["key", "create", "k", "--project", id, "--type", "ssh", "--private-key", key, ...policy]);
    expect(api?.asked.at(-1)?.body).toBeUndefined();
    await api?.close();
    await withApi({ ...table, [`GET /api/v1/projects/${id}`]: project }, [
      "key",
      "create",
      "k",
      "--project",
      id,
      "--type",
      "ssh",
      "--private-key",
      key,
      ...policy,
    ]);
    expect(api?.asked.at(-1)?.body).toMatchObject({
      secret: { type: "ssh", login: "", private_key: "PEM", passphrase: "" },
      policy: {
        refs: ["refs/heads/*", "refs/tags/**"],
        ref_types: ["tag"],
        agent_types: ["a"],
        forks: true,
        proofs: ["webhook"],
      },
    });
  });

  test("refuses a type without its material, before anything is asked", async () => {
    const { code, stderr } = await withApi(table, [
      "key",
      "create",
      "k",
      "--project",
      "demo",
      "--type",
      "login_password",
    ]);
    expect([code, stderr, api?.asked]).toEqual([2, expect.stringContaining("--password-file"), []]);
  });
});

describe("job run", () => {
  const table = { ...projects, [`POST /api/v1/projects/${id}/jobs`]: job };
  const common = [
    "job",
    "run",
    "--project",
    "demo",
    "--ref",
    "refs/heads/main",
    "--sha",
    "0".repeat(40),
    "--agent-type",
    "local",
  ];

  test("keeps the words of one command whole", async () => {
    const { stdout } = await withApi(table, [...common, "--", "echo", "it's", "a b", "--json"]);
    expect(stdout).toBe(`${id}\n`);
    expect(api?.asked.at(-1)?.body).toMatchObject({
      // What is sealed in the specification must not stand in the name, which is not.
      name: "refs/heads/main",
      spec: { commands: [{ directive: "echo 'it'\\''s' 'a b' --json" }] },
    });
  });

  test("takes a single word as shell text", async () => {
    await withApi(table, [...common, "--", "cd /tmp && ls"]);
    expect(api?.asked.at(-1)?.body).toMatchObject({ spec: { commands: [{ directive: "cd /tmp && ls" }] } });
  });

  test("adds its options to a specification from a file", async () => {
    const spec = await file("spec.json", JSON.stringify({ commands: ["one"], env: [{ name: "A", value: "1" }] }));
    const secret = await file("secret", "hush\n");
    const tool = await file("tool", "#!/bin/sh\n");
    const options = [
      "--spec",
      spec,
      "--command",
      "two",
      "--env",
      "B=x=y",
      "--secret-env",
      `C=${secret}`,
      "--key",
      "deploy",
      "--file",
      `${tool}:bin/tool`,
    ];
    await withApi(table, [...common, ...options]);
    expect(api?.asked.at(-1)?.body).toMatchObject({
      spec: {
        commands: [{ directive: "one" }, { directive: "two" }],
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "x=y" },
          { name: "C", value: "hush", secret: true },
        ],
        keys: [{ key: "deploy" }],
        files: [{ path: "bin/tool", content: Buffer.from("#!/bin/sh\n").toString("base64"), mode: "0644" }],
      },
    });
  });

  for (const [what, spec] of [
    ["that is no JSON", "{"],
    ["that is no object", "[]"],
    ["with an unknown member", '{"commands":["x"],"comands":[]}'],
    ["that sets SEMAPHORE_JOB_ID", '{"commands":["x"],"env":[{"name":"SEMAPHORE_JOB_ID","value":"1"}]}'],
    ["without a command", "{}"],
  ]) {
    test(`refuses a specification ${what}, before anything is asked`, async () => {
      const { code } = await withApi(table, [...common, "--spec", "-"], spec);
      expect([code, api?.asked]).toEqual([2, []]);
    });
  }
});

test("logs without --follow prints what there is and, with --exit-status, tells whether the job passed", async () => {
  const events = [
    { event: "job_started", timestamp: 1 },
    { event: "cmd_started", timestamp: 1, directive: "false" },
    { event: "cmd_output", timestamp: 1, output: "no\u001b[2J newline" },
    { event: "cmd_finished", timestamp: 1, directive: "false", exit_code: 1, started_at: 1, finished_at: 63 },
    { event: "job_finished", timestamp: 1, result: "failed" },
  ];
  const table = {
    [`GET /api/v1/jobs/${id}`]: { ...job, state: "finished", result: "failed" },
    [`GET /api/v1/logs/${id}`]: ({ url }: { url: string }) =>
      url.includes("token=0") ? { events, next: null } : undefined,
  };
  const { code, stdout } = await withApi(table, ["logs", id, "--exit-status"]);
  expect(stdout).toBe("$ false\nno␛[2J newline\n[exit 1, 1 min 2 s]\njob failed\n");
  expect(code).toBe(1);
});

test("project set changes only what it names, and only what nobody changed since", async () => {
  const table = { ...projects, [`PATCH /api/v1/projects/${id}`]: project };
  const { code } = await withApi(table, ["project", "set", "demo", "--protect", "refs/heads/rel/*"]);
  expect(code).toBe(0);
  expect(api?.asked.at(-1)?.body).toEqual({ protected_refs: ["refs/heads/rel/*"] });
});

test("a registration token may have any number of uses and no end, and then a warning", async () => {
  const type = {
    id,
    name: "local",
    policy: { project_ids: [id], refs: "protected", forks: false },
    revision: 1,
    created_at: at,
    created_by: id,
  };
  const made = { id, agent_type_id: id, uses_left: null, expires_at: null, created_at: at, token: "reg-token" };
  const table = {
    "GET /api/v1/agent-types": { items: [type], next: null },
    [`POST /api/v1/agent-types/${id}/registration-tokens`]: made,
  };
  const { stdout, stderr } = await withApi(table, [
    "agent-type",
    "token",
    "local",
    "--uses",
    "unlimited",
    "--expires",
    "never",
  ]);
  expect([stdout, stderr]).toEqual(["reg-token\n", expect.stringContaining("for ever")]);
  expect(api?.asked.at(-1)?.body).toMatchObject({ uses: null, expires_in_seconds: null });
});
