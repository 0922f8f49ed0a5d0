import { describe, expect, test } from "vitest";
import { eachTest, id, job, projects } from "./fixtures.ts";

const site = eachTest();

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
    const { stdout } = await site.withApi(table, [...common, "--", "echo", "it's", "a b", "--json"]);
    expect(stdout).toBe(`${id}\n`);
    expect(site.asked().at(-1)?.body).toMatchObject({
      // What is sealed in the specification must not stand in the name, which is not.
      name: "refs/heads/main",
      spec: { commands: [{ directive: "echo 'it'\\''s' 'a b' --json" }] },
    });
  });

  test("takes a single word as shell text", async () => {
    await site.withApi(table, [...common, "--", "cd /tmp && ls"]);
    expect(site.asked().at(-1)?.body).toMatchObject({ spec: { commands: [{ directive: "cd /tmp && ls" }] } });
  });

  test("adds its options to a specification from a file", async () => {
    const spec = await site.file("spec.json", JSON.stringify({ commands: ["one"], env: [{ name: "A", value: "1" }] }));
    const secret = await site.file("secret", "hush\n");
    const tool = await site.file("tool", "#!/bin/sh\n");
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
    await site.withApi(table, [...common, ...options]);
    expect(site.asked().at(-1)?.body).toMatchObject({
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
      const { code } = await site.withApi(table, [...common, "--spec", "-"], spec);
      expect([code, site.asked()]).toEqual([2, []]);
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
    [`GET /api/v1/logs/${id}/summary`]: { job_id: id, events: 6, notices: [], final: null },
    [`GET /api/v1/logs/${id}`]: ({ url }: { url: string }) =>
      url.includes("token=0") ? { events, next: null } : undefined,
  };
  const { code, stdout } = await site.withApi(table, ["logs", id, "--exit-status"]);
  expect(stdout).toBe("$ false\nno␛[2J newline\n[exit 1, 1 min 2 s]\njob failed\n");
  expect(code).toBe(1);
});

test("logs without --follow numbers events by their place in the log, and prints where some never arrived", async () => {
  const output = (text: string) => ({ event: "cmd_output", timestamp: 1, output: `${text}\n` });
  const pages: Record<string, unknown> = {
    "0": { events: [output("first")], next: 1 },
    "1": { events: [], next: 5 },
    "5": { events: [output("sixth")], next: null },
  };
  const table = {
    [`GET /api/v1/jobs/${id}`]: { ...job, state: "finished", result: "failed" },
    [`GET /api/v1/logs/${id}/summary`]: { job_id: id, events: 6, notices: [], final: null },
    [`GET /api/v1/logs/${id}`]: ({ url }: { url: string }) => pages[/token=(\d+)/.exec(url)?.[1] ?? ""],
  };
  const shown = await site.withApi(table, ["logs", id]);
  expect(shown.stdout).toBe("first\n[signalbox] events 1 to 4 never arrived\nsixth\n");
  const { stdout } = await site.withApi(table, ["logs", id, "--json"]);
  const records = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(records.map(({ kind, position }) => [kind, position])).toEqual([
    ["event", 0],
    ["gap", 1],
    ["event", 5],
  ]);
});
