/** No process of a job outlives it, however the job or its agent ends. */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { abandonJobs } from "../../src/agent/agent.ts";
import { eachTest, exitCodes } from "./agent-under-test.ts";

const site = eachTest();

/** A zombie that init has not reaped yet is dead. */
function isAlive(pid: number): boolean {
  const state = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();
  return state !== "" && !state.startsWith("Z");
}

/** What left its process group, as daemons do. */
const strays =
  "setsid sleep 600 & echo pid $! $SIGNALBOX_JOB_MARK; (nohup setsid -f sleep 600 >/dev/null 2>&1 &); echo begun";

function straysIn(output: string): { pid: number; mark: string } {
  const [, pid, mark = "none was set"] = /pid (\d+) ([0-9a-f]{32})/.exec(output) ?? [];
  return { pid: Number(pid), mark };
}

/** Every live process that was started with this mark in its environment. */
function marked(mark: string): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name) || !isAlive(Number(name))) return false;
    return environmentOf(name).includes(`SIGNALBOX_JOB_MARK=${mark}`);
  });
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}

test("stopping a job kills its background processes and runs no epilogue", async () => {
  const id = site.hub.add({ commands: ["sleep 1000 & echo pid $!; wait"], always: ["echo never"] });
  site.startAgent().catch(() => {});
  await site.hub.until(() => /pid \d+/.test(site.hub.output(id)));
  const pid = Number(/pid (\d+)/.exec(site.hub.output(id))?.[1]);
  expect(isAlive(pid)).toBe(true);
  site.hub.stop(id);
  expect(await site.hub.result(id)).toBe("stopped");
  expect(isAlive(pid)).toBe(false);
  expect(exitCodes(site.hub.events(id)).slice(2)).toEqual([["sleep 1000 & echo pid $!; wait", 1]]);
  expect(site.hub.events(id).at(-1)).toMatchObject({ event: "job_finished", result: "stopped" });
  expect(readdirSync(site.workDir)).toEqual([]);
});

test("a process that ignores SIGTERM is killed, and one that was left behind by a passed job as well", async () => {
  const stubborn = "(trap '' TERM; echo pid $BASHPID; exec sleep 1000) & disown";
  const { output, result } = await site.run({ commands: [stubborn] });
  expect(result).toBe("passed");
  expect(isAlive(Number(/pid (\d+)/.exec(output)?.[1]))).toBe(false);
});

test("when the agent itself is killed, its job dies with it and the job's files are removed", async () => {
  const id = site.hub.add({
    files: [{ path: "key", content: "k", mode: "0600" }],
    commands: ["echo pid $$ $SIGNALBOX_JOB_MARK; setsid sleep 600 & sleep 1000"],
  });
  const agentPath = join(import.meta.dirname, "../../src/agent/agent.ts");
  const options = { endpoint: site.hub.endpoint, token: "T", name: "agent-name-1", workDir: site.workDir };
  const script = `import { runAgent } from ${JSON.stringify(agentPath)};
    await runAgent({ ...${JSON.stringify(options)}, signal: new AbortController().signal, log: () => {} });`;
  const agent = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
  await site.hub.until(() => /pid \d+/.test(site.hub.output(id)));
  const { pid, mark } = straysIn(site.hub.output(id));
  expect(isAlive(pid)).toBe(true);
  await expect.poll(() => marked(mark).length).toBeGreaterThan(2);
  agent.kill("SIGKILL");
  await expect.poll(() => isAlive(pid)).toBe(false);
  await expect.poll(() => marked(mark)).toEqual([]);
  await expect.poll(() => readdirSync(site.workDir)).toEqual([]);
});

test("abandoning jobs kills their processes and removes their files synchronously", async () => {
  const id = site.hub.add({
    files: [{ path: "key", content: "k", mode: "0600" }],
    commands: ["echo pid $$ $SIGNALBOX_JOB_MARK; setsid sleep 600 & sleep 1000"],
  });
  site.startAgent().catch(() => {});
  await site.hub.until(() => /pid \d+/.test(site.hub.output(id)));
  abandonJobs();
  expect(readdirSync(site.workDir)).toEqual([]);
  expect(await site.hub.result(id)).toBe("failed");
  const { pid, mark } = straysIn(site.hub.output(id));
  expect(isAlive(pid)).toBe(false);
  expect(marked(mark)).toEqual([]);
});

test("processes that left their group with setsid or nohup do not outlive a job that passed", async () => {
  const { output, result } = await site.run({ commands: [strays] });
  expect(result).toBe("passed");
  const { pid, mark } = straysIn(output);
  expect(isAlive(pid)).toBe(false);
  expect(marked(mark)).toEqual([]);
});

test("nor a job that was stopped: none of them is there to read the next job's files", async () => {
  const id = site.hub.add({ commands: [`${strays}; wait`] });
  site.startAgent().catch(() => {});
  await site.hub.until(() => site.hub.output(id).includes("begun"));
  const { pid, mark } = straysIn(site.hub.output(id));
  expect(isAlive(pid)).toBe(true);
  expect(marked(mark)).toContain(String(pid));
  site.hub.stop(id);
  expect(await site.hub.result(id)).toBe("stopped");
  expect(isAlive(pid)).toBe(false);
  expect(marked(mark)).toEqual([]);
});

test("two jobs have two marks, and the end of one is not the end of the other's processes", async () => {
  const bystander = spawn("sleep", ["600"], {
    env: { ...process.env, SIGNALBOX_JOB_MARK: "another" },
    stdio: "ignore",
  });
  const show = 'echo "mark=$SIGNALBOX_JOB_MARK="';
  const marks = [await site.run({ commands: [show] }), await site.run({ commands: [show] })].map(
    ({ output }) => /mark=([0-9a-f]{32})=/.exec(output)?.[1],
  );
  expect(new Set(marks).size).toBe(2);
  expect(marks).not.toContain(undefined);
  expect(isAlive(bystander.pid ?? 0)).toBe(true);
  bystander.kill("SIGKILL");
});
