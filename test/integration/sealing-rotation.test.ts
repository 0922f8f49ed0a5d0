/** Rotation of the sealing key on the real runtime. What ends in the middle is in sealing-rotation-kills.test.ts. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { addKey, createWorld, finishJob, jobWithKeys, output, push, takeJob, type World } from "../support/api.ts";
import { defaultVars, type Harness, newSealingKey, startHarness } from "../support/harness.ts";
import { runCli } from "../unit/cli/support.ts";
import { openFromText } from "../unit/worker/crypto/second-opener.ts";

let harness: Harness;
let world: World;
/** What the slots hold now. */
const slots: Record<string, string> = { ACCESS_KEY_ENCRYPTION: defaultVars.ACCESS_KEY_ENCRYPTION };
/** More than one batch. */
const keyCount = 105;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  const names = Array.from({ length: keyCount }, (_, at) => `key-${at}`);
  await Promise.all(names.map((name) => addKey(world, name, { type: "string", value: storedIn(name) })));
  const ofAll = { name: "key-all", secret: { type: "string", value: "value-all-secret" } };
  expect((await world.as(world.owner, "POST", "/api/v1/keys", ofAll)).status).toBe(201);
});
afterAll(() => harness.close());

const call = (method: string, path: string, body?: unknown) =>
  world.as(world.owner, method, `/api/v1/sealing${path}`, body);
const status = async () => (await call("GET", "")).body;
const command = (args: string[]) =>
  runCli(args, { env: { SIGNALBOX_URL: harness.url.origin, SIGNALBOX_TOKEN: world.owner } });

async function deploy(changed: Record<string, string>): Promise<void> {
  Object.assign(slots, changed);
  await harness.deploy(slots);
}

/** A new key in the idle slot, known to the Worker. */
async function putNew(): Promise<{ from: string; to: string }> {
  const before = await status();
  const current = before.items.find((key: { state: string }) => key.state === "seals").slot;
  const idle = current === "ACCESS_KEY_ENCRYPTION" ? "ACCESS_KEY_ENCRYPTION_2" : "ACCESS_KEY_ENCRYPTION";
  await deploy({ [idle]: newSealingKey() });
  const to = (await status()).items.find((key: { state: string }) => key.state === "new").key_id;
  return { from: before.seals_with, to };
}

/** Every record opens by the second implementation, under the key that seals, to the bytes that were stored. */
async function everyRowOpens(expected: (name: string) => string): Promise<void> {
  const { seals_with, items } = await status();
  const { slot } = items.find((key: { key_id: string }) => key.key_id === seals_with);
  const key = Buffer.from(slots[slot] ?? "", "base64");
  const { results } = await harness.db.prepare("SELECT * FROM access_keys").all<Record<string, unknown>>();
  expect(results.length).toBeGreaterThan(keyCount);
  expect(results.map(({ project_id }) => project_id)).toContain(null);
  for (const row of results) {
    const opened = openFromText(key, Uint8Array.from(row.sealed as number[]), {
      purpose: "access_key",
      projectId: String(row.project_id ?? ""),
      recordId: String(row.id),
      secretVersion: Number(row.secret_version),
      type: String(row.type),
    });
    expect(JSON.parse(opened.toString())).toEqual({ type: "string", value: expected(String(row.name)) });
  }
}
async function resealAll(): Promise<void> {
  let after: string | null = null;
  do {
    const { status: answered, body }: { status: number; body: { next: string | null } } = await call(
      "POST",
      "/reseal",
      { after },
    );
    expect(answered).toBe(200);
    after = body.next;
  } while (after !== null);
}

const storedIn = (name: string) => `value-${name.slice(4)}-secret`;

it("every row opens under the new key, by the second implementation, and the old one is safe to remove", async () => {
  const change = await putNew();
  // Said twice, it is said once.
  for (let said = 0; said < 2; said++) expect((await call("POST", "/switch", change)).status).toBe(200);
  await resealAll();
  await everyRowOpens(storedIn);
  const old = (await status()).items.find((key: { key_id: string }) => key.key_id === change.from);
  expect(old).toMatchObject({ state: "safe_to_remove", access_keys: 0, job_specs: 0 });
});

it("a key that sealed before never seals again, and a switch from another key than the one that seals is refused", async () => {
  const { seals_with, items } = await status();
  const old = items.find((key: { state: string }) => key.state === "safe_to_remove").key_id;
  for (const from of [seals_with, old]) {
    const refused = await call("POST", "/switch", { from, to: old });
    expect([refused.status, refused.body.code]).toEqual([409, "conflict"]);
  }
  expect((await status()).seals_with).toBe(seals_with);
});

it("check names the record that was altered, with exit code 1 and an audit event once it is met by a re-sealing", async () => {
  const clean = await command(["sealing", "check"]);
  expect(clean.code, clean.stderr).toBe(0);
  expect(clean.stdout).toContain("SAFE TO REMOVE");
  await harness.db.prepare("UPDATE access_keys SET secret_version = 9 WHERE name = 'key-5'").run();
  const { id } =
    (await harness.db.prepare("SELECT id FROM access_keys WHERE name = 'key-5'").first<{ id: string }>()) ?? {};
  const altered = await command(["sealing", "check"]);
  expect(altered.code).toBe(1);
  expect(altered.stdout).toContain(`does not open: access_keys ${id}`);
  await call("POST", "/switch", await putNew());
  await resealAll();
  const events = (await world.as(world.owner, "GET", `/api/v1/audit?key_id=${id}`)).body.items;
  expect(events.map(({ action }: { action: string }) => action)).toContain("sealed.unreadable");
  // What did not open still rests under its key, which therefore must not be removed.
  expect((await status()).items.filter((key: { state: string }) => key.state === "retired")).toHaveLength(1);
});

it("a queued job's spec is sealed anew and run, and a running job's masks keep the old key until the job ends", async () => {
  const keyOf = (id: string, { items }: Awaited<ReturnType<typeof status>>) =>
    items.find((item: { key_id: string }) => item.key_id === id);
  // The record that was altered before holds up every rotation until its key is deleted, as the guide says.
  const altered = await harness.db.prepare("SELECT id FROM access_keys WHERE name = 'key-5'").first<{ id: string }>();
  const path = `/api/v1/projects/${world.projectId}/keys/${altered?.id}`;
  const removed = await world.as(world.owner, "DELETE", path);
  expect(removed.status, removed.text).toBe(204);
  const agent = await world.agent();
  const jobs = [await world.startJob(jobWithKeys("key-1")), await world.startJob(jobWithKeys("key-2"))];
  const running = await takeJob(world, agent);
  const change = await putNew();
  expect((await call("POST", "/switch", change)).status).toBe(200);
  expect(keyOf(change.from, await status()).job_specs).toBeGreaterThanOrEqual(2);
  await resealAll();
  expect(keyOf(change.from, await status())).toMatchObject({
    state: "retired",
    access_keys: 0,
    job_specs: 0,
    unfinished_jobs: 1,
  });
  await push(world, running.logToken, running.jobId, 0, [output(`a ${storedIn("key-1")} b\n`)]);
  const log = await world.as(world.owner, "GET", `/api/v1/logs/${running.jobId}/text`);
  expect([log.status, log.text]).toEqual([200, expect.stringMatching(/a \*\*\* b/)]);
  expect(log.text).not.toContain(storedIn("key-1"));
  await finishJob(world, agent, running.jobId);
  expect(keyOf(change.from, await status())).toMatchObject({ state: "safe_to_remove", unfinished_jobs: 0 });
  // Without the old key the job that waited all along is handed over, its spec and its key opened.
  const idle = keyOf(change.from, await status()).slot;
  await deploy({ [idle]: newSealingKey() });
  const waited = await takeJob(world, agent);
  expect([running.jobId, waited.jobId]).toEqual(jobs);
  expect(JSON.stringify(waited.request)).toContain(Buffer.from(storedIn("key-2")).toString("base64"));
  await finishJob(world, agent, waited.jobId);
});

it("of two rotations that begin together one may write the idle slot, and the other changes nothing", async () => {
  const { seals_with: from } = await status();
  const keys = ["aa".repeat(8), "bb".repeat(8)];
  const begun = await Promise.all(keys.map((to) => call("POST", "/begin", { from, to })));
  expect(begun.map((answer) => answer.status).sort()).toEqual([204, 409]);
  const winner = keys[begun.findIndex((answer) => answer.status === 204)];
  expect((await call("POST", "/begin", { from, to: winner })).status).toBe(204);
  expect((await call("POST", "/begin", { from: winner, to: "cc".repeat(8) })).status).toBe(409);
});
