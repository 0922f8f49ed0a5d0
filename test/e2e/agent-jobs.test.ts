/** What a job is promised by our agent, against a scripted hub: its shell, its order, its files, its environment. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LogEvent } from "../../src/protocol/log-events.ts";
import { eachTest, exitCodes } from "./agent-under-test.ts";

const site = eachTest();

function commandOutput(events: LogEvent[], directive: string): string {
  const from = events.findIndex((event) => event.event === "cmd_started" && event.directive === directive);
  const to = events.findIndex((event, at) => at > from && event.event === "cmd_finished");
  return events
    .slice(from, to)
    .map((event) => (event.event === "cmd_output" ? event.output : ""))
    .join("");
}

test("a passing job's log has exactly the protocol's events, in its order, with its keys in order", async () => {
  const { id, result } = await site.run({
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
  expect(site.hub.lines(id).map((line) => line.replace(stamp, "$1:T"))).toEqual([
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
  const { result, events } = await site.run({
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
    const { result, events } = await site.run({
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
  const { output, result } = await site.run({
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
  const { events } = await site.run({ commands: ["for i in $(seq 500); do echo o$i; echo e$i >&2; done"] });
  const expected = Array.from({ length: 500 }, (_, i) => `o${i + 1}\ne${i + 1}\n`).join("");
  expect(commandOutput(events, "for i in $(seq 500); do echo o$i; echo e$i >&2; done")).toBe(expected);
});

test("a command that reads stdin finds it empty, and cannot read the commands after it", async () => {
  const { events, result } = await site.run({
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
  const { events, result } = await site.run({
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
  const { output } = await site.run({ commands: ["exec > >(sed s/^/piped:/)", "echo a; exit 0"] });
  expect(output).toContain("piped:a\n");
});

test("files are there with their modes, and gone when the job ended", async () => {
  const outside = join(site.workDir, "outside", "key");
  const { events, output, result } = await site.run({
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
  const id = site.hub.add({
    env: { ASKED: "for\n'quoted'" },
    commands: ["env; echo done; ulimit -c", "cat /proc/$$/cmdline"],
  });
  site.startAgent(agentEnv).catch(() => {});
  await site.hub.result(id);
  const output = site.hub.output(id);
  expect(output).toContain("ASKED=for\n'quoted'\n");
  expect(output).toContain("LC_ALL=C\n");
  expect(output).toMatch(/^PATH=/m);
  expect(output).toContain("done\n0\n");
  expect(output).not.toMatch(/REGISTRATION|ACCESS|LOG1|agent's own|AGENT_|SIGNALBOX_(?!JOB_MARK=)/);
});

test.each([
  ["an executor that is not the shell", { executor: "dockercompose" }, "executor"],
  ["bad base64", { env_vars: [{ name: "A", value: "not base64" }] }, "env_vars.0.value"],
  ["a number as a mode", { files: [{ path: "a", content: "", mode: 420 }] }, "files.0.mode"],
])("a job with %s fails, and its log says why", async (_, raw, named) => {
  const { result, output } = await site.run({ commands: ["echo never"], raw });
  expect(result).toBe("failed");
  expect(output).toContain(named);
  expect(output).not.toContain("never");
});

test("a job with the least that the protocol allows runs", async () => {
  const { result } = await site.run({
    raw: { executor: null, env_vars: null, files: null, epilogue_always_commands: null },
  });
  expect(result).toBe("passed");
});
