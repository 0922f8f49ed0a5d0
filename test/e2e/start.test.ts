/** `npm start`, as somebody meets it who has just cloned the repository. */
import { execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type Finished, type Running, signalbox, startSignalbox } from "../support/processes.ts";

const demoSecret = "c4nary-Secret value/with+odd=characters";

/** As somebody has it in his shell who also works with a real server. */
const apiToken = "api-token-of-the-users-shell";

let folder: string;
let data: string;
let first: Finished;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "signalbox-start-"));
  data = join(folder, "data");
  first = await signalbox(["start", "--once", "--port", "0", "--data", data], {
    SIGNALBOX_DEMO_SECRET: demoSecret,
    SIGNALBOX_TOKEN: apiToken,
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A start that stays up, and does not outlive a test that fails. */
function startHere(env: Record<string, string> = {}): Running {
  const running = startSignalbox(["start", "--port", "0", "--data", data], env);
  onTestFinished(async () => {
    running.kill("SIGKILL");
    await running.ended;
  });
  return running;
}

function filesOf(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Processes whose command line names the data folder. */
function processesOf(path: string): string {
  return execFileSync("ps", ["-eo", "pid,args"], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(path))
    .join("\n");
}

it("the first run makes everything, runs the job, and its summary names each part as done", () => {
  expect(first.code, first.stdout + first.stderr).toBe(0);
  const summary = first.stdout.split("\n").filter((line) => /^(done|failed) /.test(line));
  expect(summary.length).toBeGreaterThanOrEqual(6);
  expect(summary.filter((line) => line.startsWith("failed"))).toEqual([]);
  expect(first.stdout).toContain("***");
});

it("the demo secret stands in clear neither in the output nor in any file of the data folder", () => {
  expect(first.stdout + first.stderr).not.toContain(demoSecret);
  for (const file of filesOf(data)) expect(readFileSync(file).includes(demoSecret), file).toBe(false);
});

it("what only the owner may read has mode 0600, in a folder of mode 0700", () => {
  expect(statSync(data).mode & 0o777).toBe(0o700);
  for (const name of ["secrets.env", "owner-token"]) expect(statSync(join(data, name)).mode & 0o777, name).toBe(0o600);
});

it("a run leaves no process behind", () => {
  expect(processesOf(data)).toBe("");
});

it("a second start reuses what is there, stays up after its job, serves the CLI, and Ctrl-C ends all of it", async () => {
  const running = startHere({ SIGNALBOX_TOKEN: apiToken });
  await running.printed(/signalbox.* -- job run|another job/i);
  await running.printed(/jobs started here run as you and can read the data folder, secrets included/);
  const { stdout, code } = await signalbox(["project", "list", "--data", data]);
  expect(code).toBe(0);
  expect(stdout).toContain("demo");
  process.kill(running.pid, "SIGINT");
  const { code: ended } = await running.ended;
  expect(ended).toBe(0);
  expect(processesOf(data)).toBe("");
});

it("its agent and its Worker have neither the shell's API token nor the demo's secret in their environment", async () => {
  const env = { SIGNALBOX_TOKEN: apiToken, SIGNALBOX_DEMO_SECRET: demoSecret };
  const running = startHere(env);
  await running.printed(/another job|-- job run/i);
  const pids = processesOf(data)
    .split("\n")
    .map((line) => Number(line.trim().split(" ")[0]))
    .filter((pid) => pid !== running.pid);
  expect(pids.length).toBeGreaterThanOrEqual(2);
  for (const pid of pids) {
    const environment = readFileSync(`/proc/${pid}/environ`, "latin1");
    expect(environment).toContain("PATH=");
    for (const secret of [apiToken, demoSecret]) expect(environment).not.toContain(secret);
  }
  process.kill(running.pid, "SIGINT");
  expect((await running.ended).code).toBe(0);
});

it("killed outright, it takes its Worker and its agent along", async () => {
  const running = startHere();
  await running.printed(/another job|-- job run/i);
  process.kill(running.pid, "SIGKILL");
  await running.ended;
  for (let tries = 0; processesOf(data) !== "" && tries < 100; tries++)
    await new Promise((done) => setTimeout(done, 100));
  expect(processesOf(data)).toBe("");
});

it("a port in use is one clear sentence and exit code 1", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as { port: number };
  const { code, stderr } = await signalbox([
    "start",
    "--once",
    "--port",
    String(port),
    "--data",
    join(folder, "other"),
  ]);
  server.close();
  expect(code).toBe(1);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toContain(String(port));
});

const sealingKeyOf16Bytes = Buffer.from("sixteen bytes ok").toString("base64");
const signingKey = (bits: number) => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  return JSON.stringify({ ...privateKey.export({ format: "jwk" }), activates_at: 1 });
};

it.each([
  ["ACCESS_KEY_ENCRYPTION", "of 16 bytes", sealingKeyOf16Bytes],
  ["ACCESS_KEY_ENCRYPTION", "that is empty", ""],
  ["SIGNING_KEY_1", "of a length that the Worker does not take", signingKey(2560)],
])("a %s %s is named in one sentence, and not quoted", async (name, _, value) => {
  const broken = mkdtempSync(join(folder, "broken-"));
  const secrets = readFileSync(join(data, "secrets.env"), "utf8");
  const lines = secrets.split("\n").map((line) => (line.startsWith(`${name}=`) ? `${name}='${value}'` : line));
  writeFileSync(join(broken, "secrets.env"), lines.join("\n"), { mode: 0o600 });
  const { code, stdout, stderr } = await signalbox(["start", "--once", "--port", "0", "--data", broken]);
  expect(code).toBe(1);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toContain(`the Worker cannot use ${name}, which `);
  expect(stderr).toContain(join(broken, "secrets.env"));
  if (value !== "") expect(stdout + stderr).not.toContain(value.slice(0, 24));
});

it("without ssh-keygen it says so before it makes anything", async () => {
  const other = join(folder, "never-made");
  const { code, stderr } = await signalbox(["start", "--once", "--port", "0", "--data", other], { PATH: folder });
  expect([code, stderr]).toEqual([1, "signalbox: ssh-keygen is missing: install openssh-client\n"]);
  expect(existsSync(other)).toBe(false);
});

it("a folder that cannot be written is one clear sentence", async () => {
  const file = join(folder, "a-file");
  writeFileSync(file, "");
  chmodSync(file, 0o400);
  const { code, stderr } = await signalbox(["start", "--once", "--port", "0", "--data", join(file, "data")]);
  expect(code).toBe(1);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});

it("npm start is that command", async () => {
  const npm = spawn("npm", ["start", "--silent", "--", "--help"], { stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  npm.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  await new Promise((closed) => npm.on("close", closed));
  expect(stdout).toContain("signalbox start");
});
