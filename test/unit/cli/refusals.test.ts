/** What the command line refuses, and whether the person is told which of his words was wrong. */
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { AgentRefused, AgentUnreachable } from "../../../src/agent/errors.ts";
import { describeError, exitCodeOf, Interrupted } from "../../../src/cli/exit.ts";
import { readAll } from "../../../src/cli/stdin.ts";
import { parseSigningKeys } from "../../../src/worker/crypto/signing.ts";
import { eachTest, id, job, projects } from "./fixtures.ts";
import { runCli } from "./support.ts";

const site = eachTest();
const sha = "0".repeat(40);
const usual = { "--project": "demo", "--ref": "refs/heads/main", "--sha": sha, "--agent-type": "local" };
const jobRun = (options: Record<string, string> = {}) => [
  ...["job", "run", ...Object.entries({ ...usual, ...options }).flat(), "--", "true"],
];

describe("an option of job run with a value that cannot be", () => {
  for (const [option, value, form] of [
    ["--env", "BROKEN", "NAME=VALUE"],
    ["--env", "=value", "NAME=VALUE"],
    ["--secret-env", "BROKEN", "NAME=FILE"],
    ["--secret-env", "NAME=", "NAME=FILE"],
    ["--file", "BROKEN", "LOCAL:REMOTE"],
    ["--file", "local:", "LOCAL:REMOTE"],
    ["--ref", "main", "refs/heads/… or refs/tags/…"],
    ["--ref", "refs/heads/a..b", "refs/heads/… or refs/tags/…"],
    ["--ref", "refs/pull/1/head", "refs/heads/… or refs/tags/…"],
    ["--sha", "abc123", "full commit id"],
    ["--sha", "A".repeat(40), "full commit id"],
  ] as const) {
    test(`exits 2, names ${option}, says what it takes, and asks nothing: ${value.slice(0, 20)}`, async () => {
      const { code, stderr } = await site.withApi(projects, jobRun({ [option]: value }));
      expect([code, site.asked()]).toEqual([2, []]);
      expect(stderr).toContain(`option '${option} <`);
      expect(stderr).toContain(form);
    });
  }

  test("is not refused where it may be: an empty variable, a tag, a SHA-256 commit", async () => {
    const table = { ...projects, [`POST /api/v1/projects/${id}/jobs`]: job };
    const options = { "--env": "EMPTY=", "--ref": "refs/tags/v1", "--sha": "0".repeat(64) };
    expect((await site.withApi(table, jobRun(options))).code).toBe(0);
  });
});

describe("a token that is not accepted", () => {
  const why = "was not accepted: wrong, expired or revoked";

  test("is named by where it came from: the environment", async () => {
    const { url } = await site.api({}, 401);
    const { code, stderr } = await runCli(["--url", url, "project", "list"], { env: { SIGNALBOX_TOKEN: "t" } });
    expect([code, stderr]).toEqual([1, `the token from SIGNALBOX_TOKEN ${why}`]);
  });

  test("is named by where it came from: a file", async () => {
    const { url } = await site.api({}, 401);
    const file = await site.file("token", "t\n");
    const { stderr } = await runCli(["--url", url, "--token-file", file, "project", "list"]);
    expect(stderr).toBe(`the token from ${file} ${why}`);
  });
});

test("where nothing listens, a person is told how to start it or to name another address", async () => {
  const { url, close } = await site.api({});
  await close();
  const { code, stderr } = await runCli(["--url", url, "project", "list"], { env: { SIGNALBOX_TOKEN: "x" } });
  expect(code).toBe(3);
  expect(stderr).toContain(`cannot reach ${url}: connect ECONNREFUSED`);
  expect(stderr).toMatch(/; is it running\? npm start, or set --url$/);
});

describe("agent start", () => {
  test("does not run with an API token in its environment, which its jobs could read", async () => {
    const tokenFile = await site.file("registration-token", "t");
    const argv = ["agent", "start", "--endpoint", "http://127.0.0.1:9", "--token-file", tokenFile];
    const { code, stderr } = await runCli(argv, { env: { SIGNALBOX_TOKEN: "api" } });
    expect(code).toBe(2);
    expect(stderr.split("\n")).toHaveLength(1);
    expect(stderr).toContain("SIGNALBOX_TOKEN is in the agent's environment");
  });

  test("refuses a file that holds no token, and does not quote it: it may be the wrong one", async () => {
    const tokenFile = await site.file("registration-token", "one\ns3cret\n");
    const argv = ["agent", "start", "--endpoint", "http://127.0.0.1:9", "--token-file", tokenFile];
    const { code, stderr } = await runCli(argv);
    expect([code, stderr]).toEqual([2, `${tokenFile} does not hold a token on one line`]);
  });

  test("exits 3 where the server cannot be reached, 1 where it refuses the agent", () => {
    expect(exitCodeOf(new AgentUnreachable("gone"))).toBe(3);
    expect(exitCodeOf(new AgentRefused("no"))).toBe(1);
    expect([new AgentUnreachable("gone"), new AgentRefused("no")].map(describeError)).toEqual(["gone", "no"]);
  });
});

test("help shows lifetimes as they are written", async () => {
  expect((await runCli(["agent-type", "token", "--help"])).stdout).toContain("(default: 1h)");
  expect((await runCli(["token", "create", "--help"])).stdout).toContain("(default: 90d)");
});

describe("keygen", () => {
  for (const bits of ["1024", "2560", "8192", "many"]) {
    test(`makes no signing key of ${bits} bits: the Worker takes none`, async () => {
      const { code, stderr } = await runCli(["keygen", "signing", "--bits", bits]);
      expect([code, stderr]).toEqual([2, expect.stringContaining("2048, 3072, 4096")]);
    });
  }

  test.each(["2048", "3072", "4096"])(
    "makes a signing key of %s bits that the Worker takes",
    async (bits) => {
      const { stdout } = await runCli(["keygen", "signing", "--bits", bits]);
      const { keys, problems } = await parseSigningKeys([["SIGNING_KEY_1", stdout]]);
      expect([keys.length, problems]).toEqual([1, []]);
    },
    60_000,
  );

  test("prints JSON where JSON is asked for", async () => {
    const sealing = await runCli(["--json", "keygen", "sealing"]);
    expect(Buffer.from(JSON.parse(sealing.stdout).sealing_key, "base64")).toHaveLength(32);
    const signing = await runCli(["--json", "keygen", "signing"]);
    expect(JSON.parse(signing.stdout)).toMatchObject({ kty: "RSA", activates_at: expect.any(Number) });
  });
});

test("an interruption ends the reading of standard input, and with its own reason", async () => {
  const interruption = new AbortController();
  const stdin = new PassThrough();
  const reading = readAll(stdin, interruption.signal);
  interruption.abort(new Interrupted("stopped by SIGINT"));
  await expect(reading).rejects.toThrow(Interrupted);
  expect(stdin.destroyed).toBe(true);
});

describe("agent start with a client certificate", () => {
  const start = async (endpoint: string, ...more: string[]) => {
    const token = await site.file("token", "registration-token");
    return runCli(["agent", "start", "--endpoint", endpoint, "--token-file", token, ...more]);
  };

  test.each([
    ["without its key", "https://ci.example.invalid", ["--certificate"], 2, "go together"],
    ["of a key alone", "https://ci.example.invalid", ["--certificate-key"], 2, "go together"],
    ["over http", "http://127.0.0.1:9", ["--certificate", "--certificate-key"], 2, "https alone"],
    ["that is none", "https://ci.example.invalid", ["--certificate", "--certificate-key"], 1, "not a pair"],
  ])("%s is refused before it registers, and not quoted", async (_, endpoint, flags, code, words) => {
    const pem = await site.file("pem", "canary-of-a-key");
    const ran = await start(endpoint, ...flags.flatMap((flag) => [flag, pem]));
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringContaining(words)]);
    expect(ran.stdout + ran.stderr).not.toContain("canary");
  });
});
