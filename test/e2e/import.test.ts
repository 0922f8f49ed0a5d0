/** `signalbox import semaphore-ui` as a process, against the real Worker. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createWorld, finishJob, jobStart, takeJob, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { signalbox } from "../support/processes.ts";

const keyText = "hHYgPrhQTZYm7UFTvcdNfKJMB3wtAXtJENUButH+DmM=";
const secret = "AAECAwQFBgcICQoLvZv3pOlAJ07VcXaLPHbO+v3ypXIoW/s99H1/uGAxCijJzTJkUh9zqPMIRV3rcB7pJB7p21xmAMdMSRXBZw==";

let harness: Harness;
let world: World;
let folder: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  folder = mkdtempSync(join(tmpdir(), "signalbox-import-"));
  writeFileSync(join(folder, "key"), `${keyText}\n`);
  write({ 1: "Web", 2: "Elsewhere" });
});
afterAll(async () => {
  await harness?.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(projects: Record<number, string>, stored = secret) {
  const named = Object.entries(projects).map(([id, name]) => [id, { id: Number(id), name }]);
  const key = (id: number, project_id: number) => ({ id, project_id, name: "Robot", type: "login_password", secret });
  const git_url = "https://user:canary-credential@git.example.com/acme/elsewhere.git";
  const content = {
    project: Object.fromEntries(named),
    project__repository_0000000002: { 1: { id: 1, project_id: 2, git_url } },
    access_key_0000000001: { 1: { ...key(1, 1), secret: stored } },
    access_key_0000000002: { 2: key(2, 2) },
  };
  writeFileSync(join(folder, "bolt.json"), JSON.stringify(content));
}

async function run(...args: string[]) {
  const given = ["--database", join(folder, "bolt.json"), "--key-file", join(folder, "key"), "--json"];
  const env = { SIGNALBOX_URL: harness.url.origin, SIGNALBOX_TOKEN: world.owner };
  const ended = await signalbox(["import", "semaphore-ui", ...given, ...args], env);
  expect(ended.stdout + ended.stderr).not.toMatch(/p<w&d|canary/);
  const items: { id: string; state: string; problem: string | null }[] = JSON.parse(ended.stdout).items;
  return { code: ended.code, items, states: items.map(({ state }) => state) };
}

const keysHere = async () =>
  (await world.as(world.owner, "GET", `/api/v1/projects/${world.projectId}/keys`)).body.items;

it("a dry run changes nothing, an import twice finds the same keys, and jobs are handed what was stored", async () => {
  const dry = await run("--dry-run");
  expect(dry).toMatchObject({ code: 1, states: ["to import", "not taken"] });
  expect(dry.items[1]?.problem).toMatch(/there is no project elsewhere here/);
  expect(await keysHere()).toEqual([]);

  expect(await run()).toMatchObject({ code: 1, states: ["imported", "not taken"] });
  const first = await keysHere();
  expect(first).toMatchObject([{ id: dry.items[0]?.id, name: "robot", type: "login_password" }]);

  expect(await run("--create-projects")).toMatchObject({ code: 0, states: ["already here", "imported"] });
  expect(await run()).toMatchObject({ code: 0, states: ["already here", "already here"] });
  expect(await keysHere()).toEqual(first);
  const projects = (await world.as(world.owner, "GET", "/api/v1/projects?name=elsewhere")).body.items;
  expect(projects).toMatchObject([{ repository: { url: "https://git.example.com/acme/elsewhere.git" } }]);

  const agent = await world.agent();
  await world.startJob({ ...jobStart(), spec: { commands: ["true"], keys: [{ key: "robot" }] } });
  const { jobId, request } = await takeJob(world, agent);
  const values = request.env_vars.map(({ value }: { value: string }) => Buffer.from(value, "base64").toString());
  expect(values).toContain("p<w&d");
  await finishJob(world, agent, jobId);
});

it("a key whose source changed since is told, and left as it is", async () => {
  const before = await keysHere();
  write({ 1: "Web", 2: "Elsewhere" }, Buffer.from('{"login":"","password":"canary"}').toString("base64"));
  const again = await run();
  expect(again).toMatchObject({ code: 1, states: ["not taken", "already here"] });
  expect(again.items[0]?.problem).toMatch(/was changed since/);
  expect(await keysHere()).toEqual(before);
});
