/** `signalbox logs` against the real Worker: every way to read a log from the command line. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createWorld, finishJob, output, push, takeJob, type World } from "../support/api.ts";
import { startHarness } from "../support/harness.ts";
import { inProcess, runCli } from "../unit/cli/support.ts";

let world: World;
let folder: string;

beforeAll(async () => {
  world = await createWorld(await startHarness());
  folder = mkdtempSync(join(tmpdir(), "signalbox-logs-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await world.harness.close();
});

const surroundings = () => ({ env: { SIGNALBOX_TOKEN: world.owner, SIGNALBOX_URL: world.harness.url.origin } });

const signalbox = (...argv: string[]) => runCli(argv, surroundings());

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("it never came to this");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function runningJob(over: Record<string, unknown> = {}) {
  const jobId = await world.startJob(over);
  const agent = await world.agent();
  const { logToken } = await takeJob(world, agent);
  const add = async (startFrom: number, events: readonly unknown[]) =>
    expect((await push(world, logToken, jobId, startFrom, events)).status).toBe(200);
  return { jobId, add, finish: (result: string) => finishJob(world, agent, jobId, result) };
}

/** The second of an event on 2026-11-20 at noon. */
const noon = Date.parse("2026-11-20T12:00:00Z") / 1000;

const events = [
  { event: "job_started", timestamp: noon },
  { event: "cmd_started", timestamp: noon, directive: "make" },
  { ...output("\u001b[31mred\u001b[0m one\r\n"), timestamp: noon + 30 },
  { ...output("two \u001b]0;title\u0007\n"), timestamp: noon + 60 },
  {
    event: "cmd_finished",
    timestamp: noon + 95,
    directive: "make",
    exit_code: 2,
    started_at: noon,
    finished_at: noon + 95,
  },
  { event: "job_finished", timestamp: noon + 96, result: "failed" },
];

describe("logs", () => {
  it("shows commands, output made inert, exit codes and durations, without colours where there is no terminal", async () => {
    const { jobId, add, finish } = await runningJob();
    await add(0, events);
    await finish("failed");
    const human = "$ make\nred one\ntwo ␛]0;title␇\n[exit 2, 1 min 35 s]\njob failed\n";
    expect(await signalbox("logs", jobId)).toEqual({ code: 0, stdout: human, stderr: "" });
    expect((await signalbox("logs", jobId, "--raw")).stdout).toBe(
      "make\n\u001b[31mred\u001b[0m one\r\ntwo \u001b]0;title\u0007\n",
    );
    const { stdout } = await signalbox("logs", jobId, "--json");
    const records = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records.map(({ event }) => event)).toEqual(events);
    const followed = await signalbox("logs", jobId, "--follow", "--exit-status");
    expect(followed.code).toBe(1);
    expect(followed.stdout).toMatch(
      /job failed\n\[signalbox\] end of the log: 6 events, job failed, SHA-256 [0-9a-f]{64}\n$/,
    );
  });

  it("begins where it is told: at a position, or at a moment by the agent's clock", async () => {
    const { jobId, add, finish } = await runningJob();
    await add(0, events.slice(0, 3));
    await add(13, events.slice(3));
    await finish("failed");
    const end = "two ␛]0;title␇\n[exit 2, 1 min 35 s]\njob failed\n";
    const at = (seconds: number) => new Date((noon + seconds) * 1000).toISOString();
    for (const argv of [
      ["--from", "13"],
      ["--since", at(60)],
      ["--since", at(31)],
      ["--since", at(60).replace("Z", "+00:00")],
      ["--since", at(60).slice(0, 19)],
    ]) {
      expect([argv, (await signalbox("logs", jobId, ...argv)).stdout]).toEqual([argv, end]);
      const followed = await signalbox("logs", jobId, "-f", ...argv);
      expect(followed.stdout.startsWith(end)).toBe(true);
    }
    expect((await signalbox("logs", jobId, "--since", "2026-11-20")).stdout).toMatch(/^\$ make\n.*never arrived/s);
    expect((await signalbox("logs", jobId, "--since", "15m")).stdout).toBe("");
    for (const when of ["soon", "2026-13-01", "15", "-1m"]) {
      expect((await signalbox("logs", jobId, `--since=${when}`)).code).toBe(2);
    }
    expect((await signalbox("logs", jobId, "--since", "1h", "--from", "1")).code).toBe(2);
  });

  it("tells what the server has to say in its place, live or not", async () => {
    const spec = { commands: ["true"], env: [{ name: "PIN", value: "12", secret: true }] };
    const { jobId, add, finish } = await runningJob({ spec });
    await add(0, [output("one\n")]);
    const shown = "[signalbox] Too short to be masked: PIN.\none\n";
    expect((await signalbox("logs", jobId)).stdout).toBe(shown);
    await finish("passed");
    expect((await signalbox("logs", jobId, "-f")).stdout.startsWith(shown)).toBe(true);
  });

  it("-f resumes a broken connection without a word lost or twice, and ends as the job did", async () => {
    const { jobId, add, finish } = await runningJob();
    const { ran, program } = inProcess(surroundings());
    const following = program.parseAsync(["node", "signalbox", "logs", jobId, "-f", "--exit-status", "--json"]);
    for (let at = 0; at < 60; at += 20) {
      await add(
        at,
        Array.from({ length: 20 }, (_, index) => output(`line ${at + index}\n`)),
      );
      await until(() => ran.stdout.includes(`line ${at + 19}\\n`));
      await world.harness.evictRoom(jobId, "close");
    }
    await finish("passed");
    await following;
    const { code, stdout, stderr } = ran;
    expect(stderr.match(/again in/g)?.length).toBeGreaterThanOrEqual(3);
    const records = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records.slice(0, -1).map(({ position }) => position)).toEqual(Array.from({ length: 60 }, (_, at) => at));
    expect(records.at(-1)).toMatchObject({ kind: "end", result: "passed" });
    expect(code).toBe(0);
  });
});

describe("logs search, --line and download", () => {
  it("find lines as grep does in the text, and show one", async () => {
    const { jobId, add } = await runningJob();
    await add(0, [output("alpha\nbe"), output("ta Beta beta\ngam\u001b[2Jma"), output("\nlast")]);
    expect(await signalbox("logs", "search", jobId, "beta")).toEqual({
      code: 0,
      stdout: "2:beta Beta beta\n",
      stderr: "",
    });
    const { stdout } = await signalbox("logs", "search", jobId, "BETA", "-i", "--json");
    const found = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(found.map(({ line, column, position }) => [line, column, position])).toEqual([
      [2, 1, 0],
      [2, 6, 1],
      [2, 11, 1],
    ]);
    expect((await signalbox("logs", "search", jobId, "beta", "--limit", "1")).stderr).toContain("more than 1 match");
    expect((await signalbox("logs", "search", jobId, "beta", "--from", "2")).code).toBe(1);
    expect(await signalbox("logs", "search", jobId, "nothing")).toMatchObject({ code: 1, stdout: "" });
    expect(await signalbox("logs", jobId, "--line", "3")).toEqual({ code: 0, stdout: "gam␛[2Jma\n", stderr: "" });
    expect((await signalbox("logs", jobId, "--line", "3", "--raw")).stdout).toBe("gam\u001b[2Jma\n");
    expect((await signalbox("logs", jobId, "--line", "4")).stderr).toContain("goes on");
    expect(JSON.parse((await signalbox("logs", jobId, "--line", "2", "--json")).stdout)).toMatchObject({ position: 0 });
    for (const line of ["0", "5"]) expect((await signalbox("logs", jobId, "--line", line)).code).toBe(1);
    expect((await signalbox("logs", jobId, "--line", "1", "-f")).code).toBe(2);
    expect((await signalbox("logs", "search", jobId, "beta", "--raw")).code).toBe(2);
  });

  it("bring the whole log, and refuse one that is not what its digest says", async () => {
    const { jobId, add, finish } = await runningJob();
    await add(0, events);
    const file = join(folder, "log");
    const download = (...argv: string[]) => signalbox("logs", "download", jobId, "-o", file, ...argv);
    expect((await download()).stderr).toContain("still grows");
    await finish("failed");
    expect((await download("--as", "plain")).code).toBe(0);
    expect(readFileSync(file, "utf8")).toBe("make\nred one\r\ntwo \n");
    expect((await download("--as", "events")).stdout).toContain("as the server says");
    const stored = readFileSync(file);
    expect(
      stored
        .toString()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(events);
    const sha256 = createHash("sha256").update(stored).digest("hex");
    expect((await signalbox("job", "show", jobId)).stdout).toContain(sha256);
    await world.harness.roomRows(jobId, "UPDATE life SET sha256 = zeroblob(32)");
    expect(await download("--as", "events")).toMatchObject({ code: 1, stderr: expect.stringContaining(sha256) });
  });

  it("tell of a log that was deleted, and which one it was", async () => {
    const { jobId, add, finish } = await runningJob();
    await add(0, events);
    await finish("failed");
    const deleted = "UPDATE jobs SET log_deleted_at = 1795176000000, log_sha256 = zeroblob(32) WHERE id = ?";
    await world.harness.db.prepare(deleted).bind(jobId).run();
    for (const argv of [[], ["-f"], ["--line", "1"], ["--since", "1h"]]) {
      const { code, stderr } = await signalbox("logs", jobId, ...argv);
      expect([code, stderr]).toEqual([1, expect.stringContaining("the log was deleted at 2026-11-20")]);
    }
    const { stdout } = await signalbox("job", "show", jobId);
    expect(stdout).toMatch(/log deleted +2026-11-20.*\nlog SHA-256 +0{64}/);
  });
});
