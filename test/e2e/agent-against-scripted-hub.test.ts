import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentRefused, abandonJobs, runAgent, type ShutdownReason } from "../../src/agent/agent.ts";
import type { LogEvent } from "../../src/protocol/log-events.ts";
import { ScriptedHub, type ScriptedJob } from "../support/scripted-hub.ts";

let hub: ScriptedHub;
let workDir: string;
let ended: Promise<ShutdownReason> | null;
let interrupt: AbortController;

beforeEach(async () => {
  hub = await ScriptedHub.start();
  workDir = mkdtempSync(join(tmpdir(), "signalbox-agent-"));
  ended = null;
  interrupt = new AbortController();
});

afterEach(async () => {
  hub.shutdown("requested");
  interrupt.abort();
  await ended?.catch(() => {});
  await hub.close();
  rmSync(workDir, { recursive: true, force: true });
});

function startAgent(env: Record<string, string> = {}): Promise<ShutdownReason> {
  ended = runAgent({
    endpoint: hub.endpoint,
    token: "REGISTRATION-TOKEN",
    name: "agent-name-1",
    workDir,
    signal: interrupt.signal,
    log: () => {},
    env: { ...process.env, ...env },
    clock: { random: () => 0 },
  });
  return ended;
}

async function run(job: ScriptedJob): Promise<{ id: string; result: string; output: string; events: LogEvent[] }> {
  const id = hub.add(job);
  if (ended === null) startAgent().catch(() => {});
  const result = await hub.result(id);
  return { id, result, output: hub.output(id), events: hub.events(id) };
}

function exitCodes(events: LogEvent[]): [string, number][] {
  return events.flatMap((event): [string, number][] =>
    event.event === "cmd_finished" ? [[event.directive, event.exit_code]] : [],
  );
}

function commandOutput(events: LogEvent[], directive: string): string {
  const from = events.findIndex((event) => event.event === "cmd_started" && event.directive === directive);
  const to = events.findIndex((event, at) => at > from && event.event === "cmd_finished");
  return events
    .slice(from, to)
    .map((event) => (event.event === "cmd_output" ? event.output : ""))
    .join("");
}

/** A zombie that init has not reaped yet is dead. */
function isAlive(pid: number): boolean {
  const state = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();
  return state !== "" && !state.startsWith("Z");
}

test("a passing job's log has exactly the protocol's events, in its order, with its keys in order", async () => {
  const { id, result } = await run({
    env: { ZED: "1", ALPHA: "2" },
    commands: ["echo hello", { directive: "echo $ALPHA", alias: "Show alpha" }],
    always: ["echo always $SEMAPHORE_JOB_RESULT"],
    onPass: ["echo on pass"],
    onFail: ["echo on fail"],
  });
  expect(result).toBe("passed");
  const stamp = /("timestamp"|"started_at"|"finished_at"):\d{10}/g;
  const cmd = (directive: string, output: string) => [
    `{"event":"cmd_started","timestamp":T,"directive":"${directive}"}`,
    ...(output === "" ? [] : [`{"event":"cmd_output","timestamp":T,"output":"${output}"}`]),
    `{"event":"cmd_finished","timestamp":T,"directive":"${directive}","exit_code":0,"started_at":T,"finished_at":T}`,
  ];
  expect(hub.lines(id).map((line) => line.replace(stamp, "$1:T"))).toEqual([
    '{"event":"job_started","timestamp":T}',
    ...cmd("Exporting environment variables", "Exporting ALPHA\\nExporting ZED\\n"),
    ...cmd("Injecting Files", ""),
    ...cmd("echo hello", "hello\\n"),
    '{"event":"cmd_started","timestamp":T,"directive":"Show alpha"}',
    '{"event":"cmd_output","timestamp":T,"output":"Running: echo $ALPHA\\n"}',
    '{"event":"cmd_output","timestamp":T,"output":"2\\n"}',
    '{"event":"cmd_finished","timestamp":T,"directive":"Show alpha","exit_code":0,"started_at":T,"finished_at":T}',
    ...cmd("Exporting environment variables", "Exporting SEMAPHORE_JOB_RESULT\\n"),
    ...cmd("echo always $SEMAPHORE_JOB_RESULT", "always passed\\n"),
    ...cmd("echo on pass", "on pass\\n"),
    '{"event":"job_finished","timestamp":T,"result":"passed"}',
  ]);
});

test("a job ends at its first failing command, and its epilogues see that it failed", async () => {
  const { result, events } = await run({
    commands: ["echo one", "(exit 7)", "echo never"],
    always: ["echo $SEMAPHORE_JOB_RESULT"],
    onPass: ["echo never"],
    onFail: ["false", "echo never"],
  });
  expect(result).toBe("failed");
  expect(exitCodes(events).slice(2)).toEqual([
    ["echo one", 0],
    ["(exit 7)", 7],
    ["Exporting environment variables", 0],
    ["echo $SEMAPHORE_JOB_RESULT", 0],
    ["false", 1],
  ]);
  expect(commandOutput(events, "echo $SEMAPHORE_JOB_RESULT")).toBe("failed\n");
});

test.each([
  ["exit 7", 7],
  ["exec sh -c 'exit 6'", 6],
  ["set -e; (exit 5)", 5],
  ["return 4", 4],
  ["kill -9 $$", 137],
  ["echo 'unterminated", 2],
])(
  "%s ends with its own exit code, and epilogues run whether or not the shell is gone",
  async (directive, exitCode) => {
    const { result, events } = await run({
      env: { KEPT: "kept" },
      commands: [directive, "echo never"],
      always: ["echo $KEPT $SEMAPHORE_JOB_RESULT"],
    });
    expect(result).toBe("failed");
    expect(exitCodes(events).slice(2)).toEqual([
      [directive, exitCode],
      ["Exporting environment variables", 0],
      ["echo $KEPT $SEMAPHORE_JOB_RESULT", 0],
    ]);
    expect(commandOutput(events, "echo $KEPT $SEMAPHORE_JOB_RESULT")).toBe("kept failed\n");
  },
);

test("directory, variables, arrays, functions and options carry over from one command to the next", async () => {
  const { output, result } = await run({
    commands: [
      "mkdir deep && cd deep",
      "X=1; export Y=2; declare -A M=([k]=v); f() { echo f$X; }",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is bash that fills it in
      "basename \"$PWD\"; echo $X $Y ${M[k]}; f; sh -c 'echo ${X-unset} $Y'",
      "set -x",
      "echo traced",
      "{ set +x; } 2>/dev/null",
    ],
  });
  expect(result).toBe("passed");
  expect(output).toContain("deep\n1 2 v\nf1\nunset 2\n");
  expect(output).toContain("+ echo traced\ntraced\n");
  expect(output).not.toMatch(/source|printf|SIGNALBOX/);
});

test("stdout and stderr stay in the order in which they were written", async () => {
  const { events } = await run({ commands: ["for i in $(seq 500); do echo o$i; echo e$i >&2; done"] });
  const expected = Array.from({ length: 500 }, (_, i) => `o${i + 1}\ne${i + 1}\n`).join("");
  expect(commandOutput(events, "for i in $(seq 500); do echo o$i; echo e$i >&2; done")).toBe(expected);
});

test("a command that reads stdin finds it empty, and cannot read the commands after it", async () => {
  const { events, result } = await run({
    commands: [
      'cat; read -r line; echo "<$line>"',
      "for fd in /proc/self/fd/*; do case $(readlink $fd) in *pipe*|/dev/fd*) timeout 1 cat $fd </dev/null & ;; esac; done; wait",
      "echo the-next-command",
    ],
  });
  expect(result).toBe("passed");
  expect(commandOutput(events, 'cat; read -r line; echo "<$line>"')).toBe("<>\n");
  expect(commandOutput(events, "echo the-next-command")).toBe("the-next-command\n");
});

test("a job that redirects the shell's own output still has its commands told apart", async () => {
  const { events, result } = await run({
    commands: ["exec >/dev/null 2>&1", "echo hidden; (exit 0)", "(exit 3)"],
  });
  expect(result).toBe("failed");
  expect(exitCodes(events).slice(2, 5)).toEqual([
    ["exec >/dev/null 2>&1", 0],
    ["echo hidden; (exit 0)", 0],
    ["(exit 3)", 3],
  ]);
});

test("what a process substitution writes after the shell ended is not lost", async () => {
  const { output } = await run({ commands: ["exec > >(sed s/^/piped:/)", "echo a; exit 0"] });
  expect(output).toContain("piped:a\n");
});

test("stopping a job kills its background processes and runs no epilogue", async () => {
  const id = hub.add({ commands: ["sleep 1000 & echo pid $!; wait"], always: ["echo never"] });
  startAgent().catch(() => {});
  await hub.until(() => /pid \d+/.test(hub.output(id)));
  const pid = Number(/pid (\d+)/.exec(hub.output(id))?.[1]);
  expect(isAlive(pid)).toBe(true);
  hub.stop(id);
  expect(await hub.result(id)).toBe("stopped");
  expect(isAlive(pid)).toBe(false);
  expect(exitCodes(hub.events(id)).slice(2)).toEqual([["sleep 1000 & echo pid $!; wait", 1]]);
  expect(hub.events(id).at(-1)).toMatchObject({ event: "job_finished", result: "stopped" });
  expect(readdirSync(workDir)).toEqual([]);
});

test("a process that ignores SIGTERM is killed, and one that was left behind by a passed job as well", async () => {
  const stubborn = "(trap '' TERM; echo pid $BASHPID; exec sleep 1000) & disown";
  const { output, result } = await run({ commands: [stubborn] });
  expect(result).toBe("passed");
  expect(isAlive(Number(/pid (\d+)/.exec(output)?.[1]))).toBe(false);
});

test("a push answered 401 is sent again from the same position with a refreshed token", async () => {
  hub.answerPush = ({ token }) => (token === "LOG1" ? 401 : 200);
  const { output, result } = await run({ commands: ["echo hello"] });
  expect(result).toBe("passed");
  expect(output).toContain("hello\n");
  expect(hub.pushes.slice(0, 2).map(({ startFrom, token }) => [startFrom, token])).toEqual([
    [0, "LOG1"],
    [0, "LOG2"],
  ]);
  const refresh = hub.exchanges.find(({ path }) => path.endsWith("/refresh"));
  expect(refresh).toMatchObject({ authorization: "Token ACCESS", body: "" });
});

test.each([500, 429, 204, 403, 302])("a push answered %d is sent again from the same position", async (status) => {
  hub.answerPush = ({ index }) => (index === 0 ? status : 200);
  const { output } = await run({ commands: ["echo hello"] });
  expect(output).toContain("hello\n");
  expect(hub.pushes.slice(0, 2).map(({ startFrom }) => startFrom)).toEqual([0, 0]);
});

test("after 422 nothing is pushed any more, and the job goes on to its own result", async () => {
  hub.answerPush = () => 422;
  const { result } = await run({ commands: ["head -c 20000000 /dev/zero | tr '\\0' 'x' | fold", "(exit 3)"] });
  expect(result).toBe("failed");
  expect(hub.pushes).toHaveLength(1);
});

test("12 MB of output arrive whole and in order though the server fails every third push", async () => {
  hub.answerPush = ({ index }) => (index % 3 === 1 ? 500 : 200);
  const { output, result } = await run({ commands: ["seq 1500000"] });
  expect(result).toBe("passed");
  const numbers = output.split("\n").filter((line) => /^\d+$/.test(line));
  expect(numbers).toHaveLength(1_500_000);
  expect(numbers.every((line, at) => Number(line) === at + 1)).toBe(true);
  expect(Math.max(...hub.pushes.map(({ lines }) => lines.length))).toBeLessThanOrEqual(2000);
});

test("the result is reported only after the last event of the log was stored", async () => {
  await run({ commands: ["echo hello"] });
  const lastPush = hub.exchanges.findLastIndex(({ path }) => path.includes("/logs/"));
  const finished = hub.exchanges.findIndex(({ body }) => body.includes('"finished-job"'));
  expect(hub.exchanges[lastPush]?.body).toContain('"job_finished"');
  expect(finished).toBeGreaterThan(lastPush);
});

test("files are there with their modes, and gone when the job ended", async () => {
  const outside = join(workDir, "outside", "key");
  const { events, output, result } = await run({
    files: [
      { path: ".ssh/id_rsa", content: "secret\n", mode: "0600" },
      { path: "~/bin/tool", content: "#!/bin/sh\necho tool ran\n", mode: "0755" },
      { path: outside, content: "out\n", mode: "0400" },
    ],
    commands: [
      "pwd; stat -c '%a %n' . .ssh .ssh/id_rsa bin/tool",
      `stat -c %a ${outside}; cat ${outside}`,
      "~/bin/tool",
    ],
  });
  expect(result).toBe("passed");
  const home = /^(\/.*)$/m.exec(commandOutput(events, "pwd; stat -c '%a %n' . .ssh .ssh/id_rsa bin/tool"))?.[1] ?? "";
  expect(commandOutput(events, "Injecting Files")).toBe(
    `Injecting ${home}/.ssh/id_rsa with file mode 0600\n` +
      `Injecting ${home}/bin/tool with file mode 0755\n` +
      `Injecting ${outside} with file mode 0400\n`,
  );
  expect(output).toContain("700 .\n700 .ssh\n600 .ssh/id_rsa\n755 bin/tool\n");
  expect(output).toContain("400\nout\n");
  expect(output).toContain("tool ran\n");
  expect(existsSync(home)).toBe(false);
  expect(existsSync(outside)).toBe(false);
});

test("a job sees nothing of the agent's own environment but the plain things of the machine", async () => {
  const agentEnv = {
    SEMAPHORE_AGENT_TOKEN: "REGISTRATION-TOKEN",
    SIGNALBOX_TOKEN: "REGISTRATION-TOKEN",
    AWS_SECRET_ACCESS_KEY: "the agent's own",
    LC_ALL: "C",
  };
  const id = hub.add({
    env: { ASKED: "for\n'quoted'" },
    commands: ["env; echo done; ulimit -c", "cat /proc/$$/cmdline"],
  });
  startAgent(agentEnv).catch(() => {});
  await hub.result(id);
  const output = hub.output(id);
  expect(output).toContain("ASKED=for\n'quoted'\n");
  expect(output).toContain("LC_ALL=C\n");
  expect(output).toMatch(/^PATH=/m);
  expect(output).toContain("done\n0\n");
  expect(output).not.toMatch(/REGISTRATION|ACCESS|LOG1|agent's own|AGENT_|SIGNALBOX/);
});

test.each([
  ["an executor that is not the shell", { executor: "dockercompose" }, "executor"],
  ["bad base64", { env_vars: [{ name: "A", value: "not base64" }] }, "env_vars.0.value"],
  ["a number as a mode", { files: [{ path: "a", content: "", mode: 420 }] }, "files.0.mode"],
])("a job with %s fails, and its log says why", async (_, raw, named) => {
  const { result, output } = await run({ commands: ["echo never"], raw });
  expect(result).toBe("failed");
  expect(output).toContain(named);
  expect(output).not.toContain("never");
});

test("a job with the least that the protocol allows runs", async () => {
  const { result } = await run({
    raw: { executor: null, env_vars: null, files: null, epilogue_always_commands: null },
  });
  expect(result).toBe("passed");
});

test("the agent registers, works, and disconnects as itself, and never as Semaphore's", async () => {
  hub.add({ commands: ["true"] });
  hub.shutdown("idle");
  expect(await startAgent()).toBe("idle");
  expect(hub.exchanges[0]).toMatchObject({
    path: "/api/v1/self_hosted_agents/register",
    authorization: "Token REGISTRATION-TOKEN",
  });
  expect(hub.exchanges.at(-1)).toMatchObject({
    path: "/api/v1/self_hosted_agents/disconnect",
    authorization: "Token ACCESS",
  });
  for (const { userAgent } of hub.exchanges) expect(userAgent).toMatch(/^SignalboxAgent\/v\d/);
});

test("a wrong registration token ends the agent at once", async () => {
  hub.registerStatus = 404;
  await expect(startAgent()).rejects.toThrow(AgentRefused);
  expect(hub.exchanges).toHaveLength(1);
});

test("an idle agent that is interrupted asks the server at once and ends as it says", async () => {
  const reason = startAgent();
  await hub.until(() => hub.exchanges.length >= 2);
  interrupt.abort();
  expect(await reason).toBe("interrupted");
  expect(hub.exchanges.at(-1)?.path).toMatch(/disconnect$/);
});

test("a shutdown in the middle of nothing but failing syncs is still obeyed once one succeeds", async () => {
  hub.syncFailures.push(404, 500);
  hub.shutdown("requested");
  expect(await startAgent()).toBe("requested");
});

test("an agent that is interrupted in a job says since when at once, and lets the server end the job", async () => {
  const id = hub.add({ commands: ["echo begun; sleep 1000"] });
  const reason = startAgent();
  await hub.until(() => hub.output(id).includes("begun"));
  interrupt.abort();
  expect(await reason).toBe("interrupted");
  expect(await hub.result(id)).toBe("stopped");
  const syncs = hub.exchanges.filter(({ path }) => path.endsWith("/sync")).map(({ body }) => JSON.parse(body));
  const told = syncs.filter((sync) => sync.interrupted_at !== 0);
  expect(told.map((sync) => sync.state)).toEqual(
    expect.arrayContaining(["running-job", "finished-job", "waiting-for-jobs"]),
  );
  expect(new Set(told.map((sync) => sync.interrupted_at)).size).toBe(1);
});

test("a job waits, and loses nothing, while the server stores none of its output", async () => {
  const id = hub.add({
    commands: ['head -c 40000000 /dev/zero | tr "\\0" x | fold -w 999; echo; echo $(printf writt)en'],
  });
  let open = false;
  hub.answerPush = ({ index }) => {
    open ||= index >= 4;
    return open ? 200 : 500;
  };
  startAgent().catch(() => {});
  await hub.until(() => open);
  expect(hub.pushes.some(({ lines }) => lines.join("").includes("written"))).toBe(false);
  expect(await hub.result(id)).toBe("passed");
  expect(hub.output(id).match(/x/g)?.length).toBeGreaterThanOrEqual(40_000_000);
  expect(hub.output(id)).toContain("written\n");
});

test("when the agent itself is killed, its job dies with it and the job's files are removed", async () => {
  const id = hub.add({ files: [{ path: "key", content: "k", mode: "0600" }], commands: ["echo pid $$; sleep 1000"] });
  const agentPath = join(import.meta.dirname, "../../src/agent/agent.ts");
  const options = { endpoint: hub.endpoint, token: "T", name: "agent-name-1", workDir };
  const script = `import { runAgent } from ${JSON.stringify(agentPath)};
    await runAgent({ ...${JSON.stringify(options)}, signal: new AbortController().signal, log: () => {} });`;
  const agent = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
  await hub.until(() => /pid \d+/.test(hub.output(id)));
  const pid = Number(/pid (\d+)/.exec(hub.output(id))?.[1]);
  expect(isAlive(pid)).toBe(true);
  agent.kill("SIGKILL");
  await expect.poll(() => isAlive(pid)).toBe(false);
  await expect.poll(() => readdirSync(workDir)).toEqual([]);
});

test("abandoning jobs kills their processes and removes their files synchronously", async () => {
  const id = hub.add({ files: [{ path: "key", content: "k", mode: "0600" }], commands: ["echo pid $$; sleep 1000"] });
  startAgent().catch(() => {});
  await hub.until(() => /pid \d+/.test(hub.output(id)));
  abandonJobs();
  expect(readdirSync(workDir)).toEqual([]);
  expect(await hub.result(id)).toBe("failed");
  expect(isAlive(Number(/pid (\d+)/.exec(hub.output(id))?.[1]))).toBe(false);
});
