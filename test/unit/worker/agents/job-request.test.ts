import { describe, expect, test } from "vitest";
import type { Secret } from "../../../../src/protocol/access-keys.ts";
import { JobRequest } from "../../../../src/protocol/agent-protocol.ts";
import { JobSpec, KeyUse } from "../../../../src/protocol/jobs.ts";
import {
  buildEmptyRequest,
  buildJobRequest,
  type OpenedKey,
  secretValues,
} from "../../../../src/worker/agents/job-request.ts";

const logger = { url: "https://ci.example.com/api/v1/logs/1", token: "t" };
const base = { jobId: "1", jobName: "deploy", logger };
const spec = (changes: object = {}) => JobSpec.parse({ commands: ["true"], ...changes });
const opened = (secret: Secret, use: object = {}, key = "bot"): OpenedKey => ({
  use: KeyUse.parse({ key, ...use }),
  secret,
});
const decode = (text: string) => Buffer.from(text, "base64").toString("utf8");

const sshSecret: Secret = { type: "ssh", login: "git", private_key: "-----KEY-----\n", passphrase: "p4ss" };
const loginSecret: Secret = { type: "login_password", login: "deploy", password: "pünktlich" };

function build(changes: object, keys: OpenedKey[] = [], environment: [string, string][] = []) {
  return buildJobRequest({ ...base, spec: spec(changes), keys, environment });
}

test("a job is handed over in the protocol's exact shape", () => {
  const request = build({
    commands: ["make", { directive: "make test", alias: "Test" }],
    epilogue: { always: ["a"], on_pass: ["p"], on_fail: [{ directive: "f" }] },
    files: [{ path: "x", content: "eA==" }],
  });
  expect(JobRequest.strict().parse(request)).toEqual(request);
  expect(request).toEqual({
    job_id: "1",
    job_name: "deploy",
    executor: "shell",
    env_vars: [],
    files: [{ path: "x", content: "eA==", mode: "0644" }],
    commands: [{ directive: "make" }, { directive: "make test", alias: "Test" }],
    epilogue_always_commands: [{ directive: "a" }],
    epilogue_on_pass_commands: [{ directive: "p" }],
    epilogue_on_fail_commands: [{ directive: "f" }],
    ssh_public_keys: [],
    logger: { method: "push", ...logger },
  });
});

describe("values", () => {
  test("are standard padded base64 of UTF-8, the empty one too", () => {
    const values = ["", "a", "ab", "abc", "ä\u{1f682}", "\u00ff\u00fe?>", "x".repeat(100_000)];
    const { env_vars } = build({ env: values.map((value, n) => ({ name: `V${n}`, value })) });
    expect(env_vars.map(({ value }) => value)).toEqual(values.map((value) => Buffer.from(value).toString("base64")));
  });

  test("of files have an octal mode, of keys and of the job's own", () => {
    const { files } = build({ files: [{ path: "x", content: "" }] }, [
      opened(sshSecret),
      opened(loginSecret, { file: { path: "pw", mode: "0400" } }),
    ]);
    expect(files.map(({ path, mode, content }) => [path, mode, decode(content)])).toEqual([
      [".ssh/bot", "0600", sshSecret.private_key],
      ["pw", "0400", "pünktlich"],
      ["x", "0644", ""],
    ]);
  });
});

test("variables come in order of precedence: the system's, then the keys', then the job's own, which win", () => {
  const { env_vars } = build(
    {
      env: [
        { name: "BOT_PASSWORD", value: "own" },
        { name: "CI", value: "no" },
      ],
    },
    [opened(loginSecret)],
    [
      ["CI", "true"],
      ["BOT_LOGIN", "system"],
    ],
  );
  const order = env_vars.map(({ name, value }) => `${name}=${decode(value)}`);
  expect(order).toEqual([
    "CI=true",
    "BOT_LOGIN=system",
    "BOT_LOGIN=deploy",
    "BOT_PASSWORD=pünktlich",
    "BOT_PASSWORD=own",
    "CI=no",
  ]);
  expect(Object.fromEntries(env_vars.map(({ name, value }) => [name, decode(value)]))).toEqual({
    CI: "no",
    BOT_LOGIN: "deploy",
    BOT_PASSWORD: "own",
  });
});

test("a key goes where the caller sent it, and nowhere else", () => {
  const request = build({}, [opened(sshSecret, { env: { passphrase: "P", login: "L" } })]);
  expect(request.files).toEqual([]);
  expect(request.env_vars.map(({ name, value }) => [name, decode(value)])).toEqual([
    ["P", "p4ss"],
    ["L", "git"],
  ]);
  expect(JSON.stringify(request)).not.toContain(Buffer.from(sshSecret.private_key).toString("base64"));
});

test("a key that cannot be delivered delivers nothing", () => {
  const request = build({}, [opened({ type: "none" }), opened(loginSecret, { env: { value: "X" } })]);
  expect([request.env_vars, request.files]).toEqual([[], []]);
});

test("a job that is being stopped is handed over empty, so that its agent ends by itself", () => {
  const request = buildEmptyRequest(base);
  expect(JobRequest.strict().parse(request)).toEqual(request);
  const { job_id, job_name, executor, logger: log, ...rest } = request;
  expect({ job_id, job_name, executor, log }).toEqual({
    job_id: "1",
    job_name: "deploy",
    executor: "shell",
    log: { method: "push", ...logger },
  });
  expect(Object.values(rest).flat()).toEqual([]);
});

describe("what must be masked", () => {
  const env = [
    { name: "S", value: "geheim", secret: true },
    { name: "P", value: "public" },
    { name: "E", value: "", secret: true },
  ];

  test("is every part of every key but logins, secret variables, and tokens", () => {
    const keys = [
      opened(sshSecret),
      opened(loginSecret, {}, "web"),
      opened({ type: "string", value: "v" }, {}, "s"),
      opened({ type: "none" }),
    ];
    expect(
      secretValues(spec({ env }), keys, [
        ["log token", "t"],
        ["SEMAPHORE_OIDC_TOKEN", "jwt"],
      ]),
    ).toEqual([
      { name: "bot (private_key)", value: sshSecret.private_key },
      { name: "bot (passphrase)", value: "p4ss" },
      { name: "web (password)", value: "pünktlich" },
      { name: "s (value)", value: "v" },
      { name: "S", value: "geheim" },
      { name: "log token", value: "t" },
      { name: "SEMAPHORE_OIDC_TOKEN", value: "jwt" },
    ]);
  });

  test("holds no login, no public variable and nothing empty", () => {
    const values = secretValues(
      spec({ env }),
      [opened({ ...sshSecret, passphrase: "" }), opened(loginSecret)],
      [["log token", ""]],
    );
    expect(values.map(({ value }) => value)).toEqual([sshSecret.private_key, "pünktlich", "geheim"]);
    expect(JSON.stringify(values)).not.toMatch(/"(git|deploy|public)"/);
  });

  test("also holds parts that are handed to nothing: the job might be given them another way", () => {
    const values = secretValues(spec(), [opened(sshSecret, { env: { login: "L" } })], []);
    expect(values.map(({ name }) => name)).toEqual(["bot (private_key)", "bot (passphrase)"]);
  });
});
