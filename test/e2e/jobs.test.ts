/** The real agent and the real CLI as processes, against the real Worker. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { createWorld, sha, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { isAlive, type Running, signalbox, startSignalbox } from "../support/processes.ts";

const agentLostSeconds = 3;

let harness: Harness;
let world: World;
let folder: string;
let cli: Record<string, string>;
let agents: Running[] = [];

beforeAll(async () => {
  const settings = JSON.stringify({ next_sync_after_ms: 100, agent_lost_seconds: agentLostSeconds });
  harness = await startHarness({ SETTINGS: settings });
  // Agents push to the issuer's address, which the harness chose.
  await harness.deploy({ ISSUER: harness.url.origin });
  world = await createWorld(harness);
  folder = mkdtempSync(join(tmpdir(), "signalbox-e2e-"));
  cli = { SIGNALBOX_URL: harness.url.origin, SIGNALBOX_TOKEN: world.owner, TMPDIR: folder };
});

afterEach(async () => {
  for (const agent of agents) agent.kill("SIGTERM");
  await Promise.all(agents.map(({ ended }) => ended));
  agents = [];
});

afterAll(async () => {
  await harness?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function startAgent(...more: string[]): Promise<Running> {
  const { stdout, code } = await signalbox(["agent-type", "token", "linux"], cli);
  expect(code).toBe(0);
  const tokenFile = join(folder, `registration-${agents.length}`);
  writeFileSync(tokenFile, stdout, { mode: 0o600 });
  const agent = startSignalbox(
    ["agent", "start", "--endpoint", harness.url.origin, "--token-file", tokenFile, ...more],
    { TMPDIR: folder, AWS_SECRET_ACCESS_KEY: "must-not-be-seen-by-jobs" },
  );
  agents.push(agent);
  return agent;
}

const run = (...args: string[]) => [
  ...["job", "run", "--project", "web", "--ref", "refs/heads/main", "--sha", sha, "--agent-type", "linux"],
  ...args,
];

async function newestJob() {
  const { body } = await world.as(world.owner, "GET", `/api/v1/projects/${world.projectId}/jobs?limit=1`);
  return body.items[0];
}

it("a job that passes shows its commands, keeps its state between them, and ends with exit code 0", async () => {
  await startAgent();
  const { stdout, code } = await signalbox(
    run("--follow", "--exit-status", "--command", "cd /tmp; X=kept", "--command", 'echo "$PWD $X"'),
    cli,
  );
  expect(stdout).toContain("/tmp kept");
  expect(code).toBe(0);
  expect(await newestJob()).toMatchObject({ state: "finished", result: "passed" });
});

it("a job that fails with exit code 7 says so, runs no further command, and gives exit code 1", async () => {
  await startAgent();
  const { stdout, code } = await signalbox(
    run("--follow", "--exit-status", "--command", "exit 7", "--command", "echo never"),
    cli,
  );
  expect(stdout).toMatch(/exit 7/);
  expect(stdout).not.toContain("never\n");
  expect(code).toBe(1);
  expect(await newestJob()).toMatchObject({ state: "finished", result: "failed" });
});

it("a stopped job ends with everything that it started, and its follower is told", async () => {
  await startAgent();
  const follower = startSignalbox(run("--follow", "--exit-status", "--command", "sleep 600 & echo pid=$!=; wait"), cli);
  await follower.printed(/pid=\d+=/);
  const pid = Number(/pid=(\d+)=/.exec(follower.output())?.[1]);
  expect(await isAlive(pid)).toBe(true);
  const { id } = await newestJob();
  expect((await signalbox(["job", "stop", id], cli)).code).toBe(0);
  expect((await follower.ended).code).toBe(1);
  expect(await newestJob()).toMatchObject({ state: "finished", result: "stopped" });
  expect(await isAlive(pid)).toBe(false);
});

it("a job whose agent is killed fails, its log says why, and nothing of it runs on", async () => {
  const agent = await startAgent();
  const follower = startSignalbox(run("--follow", "--exit-status", "--command", "sleep 600 & echo pid=$!=; wait"), cli);
  await follower.printed(/pid=\d+=/);
  const pid = Number(/pid=(\d+)=/.exec(follower.output())?.[1]);
  process.kill(agent.pid, "SIGKILL");
  const { code, stdout } = await follower.ended;
  expect(code).toBe(1);
  expect(stdout).toContain(`has not been heard of for ${agentLostSeconds} s`);
  expect(await newestJob()).toMatchObject({ state: "finished", result: "failed" });
  expect(await isAlive(pid)).toBe(false);
});

it("a job sees its token and its keys, nothing of its agent's credentials, and its key files are gone after it", async () => {
  const secret = join(folder, "secret");
  writeFileSync(secret, "correct horse battery staple");
  const key = ["key", "create", "vault-pass", "--project", "web", "--type", "string", "--value-file", secret];
  expect((await signalbox(key, cli)).code).toBe(0);
  await startAgent();
  const spec = {
    keys: [{ key: "vault-pass", env: { value: "PASS" }, file: { path: "~/pass", mode: "0400" } }],
    commands: ["true"],
  };
  const specFile = join(folder, "spec.json");
  writeFileSync(specFile, JSON.stringify(spec));
  const { stdout, code } = await signalbox(
    run(
      ...["--follow", "--exit-status", "--spec", specFile],
      ...["--command", 'stat -c "mode %a" ~/pass; cmp <(printf %s "$PASS") ~/pass && echo same; echo "home=$HOME="'],
      ...[
        "--command",
        'test "$(cut -d. -f1 <<< "$SEMAPHORE_OIDC_TOKEN" | base64 -d | head -c 5)" = \'{"alg\' && echo token',
      ],
      ...["--command", 'env; echo "the value is $PASS"'],
    ),
    cli,
  );
  expect(code).toBe(0);
  for (const line of ["mode 400", "same", "token", "the value is ***"]) expect(stdout).toContain(line);
  expect(stdout).not.toContain("correct horse");
  expect(stdout).not.toContain("must-not-be-seen-by-jobs");
  expect(stdout).not.toMatch(/sbx_|SIGNALBOX_(?!JOB_MARK=)|eyJ/);
  const home = /home=(\/.*)=/.exec(stdout)?.[1] ?? "";
  expect(home).toContain(folder);
  expect(existsSync(home)).toBe(false);
});

it("an agent does not start with an API token in its environment, where jobs could read it", async () => {
  const tokenFile = join(folder, "never-read");
  writeFileSync(tokenFile, "a registration token", { mode: 0o600 });
  const start = ["agent", "start", "--endpoint", harness.url.origin, "--token-file", tokenFile];
  const { code, stderr } = await signalbox(start, { TMPDIR: folder, SIGNALBOX_TOKEN: world.owner });
  expect(code).toBe(2);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toContain("SIGNALBOX_TOKEN");
});

it.each(["SIGINT", "SIGTERM"] as const)(
  "%s ends a command that waits for standard input at once, with exit code 130",
  async (signal) => {
    const main = join(import.meta.dirname, "../../src/cli/main.ts");
    const inspect = spawn(process.execPath, [main, "token", "inspect", "-"], { stdio: ["pipe", "ignore", "pipe"] });
    const closed = once(inspect, "close");
    // Once it has taken what stands in the pipe it waits for the rest.
    await new Promise<void>((taken, failed) => {
      inspect.stdin.write("x".repeat(1024 * 1024), (error) => (error ? failed(error) : taken()));
    });
    inspect.kill(signal);
    expect(await closed).toEqual([130, null]);
  },
);

it("an agent that is told to end when idle says goodbye and ends with exit code 0", async () => {
  const agent = await startAgent("--name", "idle-agent");
  await agent.printed(/./);
  agent.kill("SIGTERM");
  expect((await agent.ended).code).toBe(0);
  const { body } = await world.as(world.owner, "GET", "/api/v1/agents");
  expect(body.items.map(({ name }: { name: string }) => name)).not.toContain("idle-agent");
});
