/** The vault over a database that fails before or after it commits: nothing half-written, and no effect unrecorded. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AccessKeyCreate } from "../../src/protocol/access-keys.ts";
import type { JobRequest } from "../../src/protocol/agent-protocol.ts";
import type { Person } from "../../src/protocol/principal.ts";
import { createAccessKeys } from "../../src/worker/access-keys/access-keys.ts";
import { openKey } from "../../src/worker/access-keys/key-secret.ts";
import { judge } from "../../src/worker/agents/certificate-gate.ts";
import { parseHeldKeys } from "../../src/worker/crypto/keyring.ts";
import { createSealer } from "../../src/worker/crypto/sealer.ts";
import { readConfig } from "../../src/worker/env.ts";
import { fromBlob, systemRandom } from "../../src/worker/lib/bytes.ts";
import { systemClock } from "../../src/worker/lib/time.ts";
import { createProjects } from "../../src/worker/projects/projects.ts";
import { createServices } from "../../src/worker/services.ts";
import { addKey, createWorld, fetchJob, finishJob, jobWithKeys, sync, type World } from "../support/api.ts";
import { rowCounts } from "../support/at-rest.ts";
import { withEachCallLost } from "../support/faulty-database.ts";
import { defaultVars, type Harness, issuer, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
});
afterAll(() => harness.close());

const owner: Person = {
  kind: "token",
  id: randomUUID(),
  name: "owner",
  role: "owner",
  projectId: null,
  expiresAtMs: null,
};

/** The real database, of which one batch is lost: before it reached it, or on the way back. */
function losing(when: "before" | "after" | "never") {
  const statements: string[] = [];
  let lost = when === "never";
  const db = {
    prepare(sql: string) {
      statements.push(sql);
      return harness.db.prepare(sql);
    },
    async batch(batch: D1PreparedStatement[]) {
      if (lost) return harness.db.batch(batch);
      lost = true;
      if (when === "after") await harness.db.batch(batch);
      throw new Error("D1_ERROR: Network connection lost.");
    },
  } as D1Database;
  return { db, statements };
}

async function sealerOn(db: D1Database) {
  const held = await parseHeldKeys([["ACCESS_KEY_ENCRYPTION", defaultVars.ACCESS_KEY_ENCRYPTION]]);
  return createSealer(db, held, systemClock, systemRandom);
}

async function vault(db: D1Database) {
  const base = { db, sealer: await sealerOn(db), clock: systemClock, random: systemRandom };
  return createAccessKeys({ ...base, projects: createProjects(base) });
}

const request = (name: string) =>
  AccessKeyCreate.parse({ id: randomUUID(), name, secret: { type: "string", value: "x" } });

it("a create that is lost before it commits leaves no row; the same again makes one key, and one audit row", async () => {
  const keys = await vault(losing("before").db);
  const before = await rowCounts(harness);
  const body = request("lost-before");
  await expect(keys.create(owner, world.projectId, body)).rejects.toThrow();
  expect(await rowCounts(harness)).toEqual(before);
  expect((await keys.create(owner, world.projectId, body)).value.name).toBe("lost-before");
  expect(await audited(String(body.id))).toEqual(["key.create"]);
});

it("a create whose answer is lost after it commits is found by its id, and is not made twice", async () => {
  const keys = await vault(losing("after").db);
  const body = request("lost-after");
  const first = await keys.create(owner, world.projectId, body).catch(() => null);
  const again = await keys.create(owner, world.projectId, body);
  expect(again.value.id).toBe(body.id);
  if (first !== null) expect(first.value).toEqual(again.value);
  expect(await audited(String(body.id))).toEqual(["key.create"]);
});

it("a change of which any call to the database is lost leaves the whole of the old key or of the new one", async () => {
  const calls = await withEachCallLost(harness.db, async ({ db, wasLost }, told) => {
    const id = await addKey(world, `changed-${told.nth}-${told.loss}`, { type: "string", value: "old" });
    const keys = await vault(db);
    const patch = { name: `new-${told.nth}-${told.loss}`, secret: { type: "string", value: "new" } } as const;
    const outcome = await settled(keys.change(owner, world.projectId, id, patch, null));
    const { key, secret } = await opened(id);
    const state = [key.revision, key.secret_version, secret, await audited(id)];
    const whole = [1, 1, "old", ["key.create"]];
    const changed = [2, 2, "new", ["key.create", "key.change"]];
    expect({ ...told, state }).toEqual({ ...told, state: key.name === patch.name ? changed : whole });
    // What was answered is so; what was not answered may be either.
    expect(outcome).toBe(wasLost() ? "rejected" : "fulfilled");
    if (outcome === "fulfilled") expect(state).toEqual(changed);
    // The caller who heard nothing asks again, on top of what it had read: done once, whichever it was.
    const again = await settled((await vault(harness.db)).change(owner, world.projectId, id, patch, 1));
    expect(again).toBe(key.revision === 1 ? "fulfilled" : "rejected");
    expect((await audited(id)).filter((action) => action === "key.change")).toHaveLength(1);
  });
  expect(calls).toBeGreaterThan(1);
});

it("a delete of which any call to the database is lost leaves the whole key or nothing, with its row in the record", async () => {
  const calls = await withEachCallLost(harness.db, async ({ db, wasLost }, told) => {
    const id = await addKey(world, `deleted-${told.nth}-${told.loss}`, { type: "string", value: "old" });
    const keys = await vault(db);
    const outcome = await settled(keys.remove(owner, world.projectId, id, { force: false, revision: 1 }));
    const isThere = (await row(id)) !== null;
    expect({ ...told, record: await audited(id) }).toEqual({
      ...told,
      record: isThere ? ["key.create"] : ["key.create", "key.delete"],
    });
    expect(outcome).toBe(wasLost() ? "rejected" : "fulfilled");
    if (isThere) expect((await opened(id)).secret).toBe("old");
    const again = await settled(
      (await vault(harness.db)).remove(owner, world.projectId, id, { force: false, revision: null }),
    );
    expect(again).toBe(isThere ? "fulfilled" : "rejected");
    expect(await audited(id)).toEqual(["key.create", "key.delete"]);
  });
  expect(calls).toBeGreaterThan(1);
});

/** RELIABILITY P7, F5: the audit row stands before the secret leaves, or nothing leaves. */
it("whichever call to the database is lost while a job is fetched, no key leaves without its row in the record", async () => {
  await addKey(world, "handed", { type: "string", value: secret });
  const agent = await world.agent();
  const whole = ["identity.mint", "job.fetch", "key.unseal"];
  const seen = new Set<string>();
  const calls = await withEachCallLost(harness.db, async ({ db, wasLost }, told) => {
    const jobId = await world.startJob(jobWithKeys("handed"));
    expect((await sync(world, agent, "waiting-for-jobs")).body.job_id).toBe(jobId);
    const handOver = await handOverOn(db);
    const request = await handOver.fetch(agent, jobId, presented).catch(() => null);
    const record = await recorded(jobId);
    const hasLeft = request !== null && holdsSecret(request);
    expect({ ...told, record }).toEqual({ ...told, record: hasLeft || record.length > 0 ? whole : [] });
    expect(hasLeft).toBe(!wasLost());
    seen.add(`${hasLeft ? "left" : "stayed"}, ${record.length > 0 ? "recorded" : "not recorded"}`);
    // Asked again it is handed over.
    expect(holdsSecret((await fetchJob(world, agent, jobId)).body)).toBe(true);
    await finishJob(world, agent, jobId);
  });
  expect(calls).toBeGreaterThan(5);
  expect([...seen].toSorted()).toEqual(["left, recorded", "stayed, not recorded", "stayed, recorded"]);
});

it("a page of 1,000 keys opens none of them and reads them by one query", async () => {
  const copies = `INSERT INTO access_keys (id, project_id, name, type, sealed, secret_bytes, secret_version, policy,
      revision, request_mac, created_at, created_by)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    SELECT printf('00000000-0000-7000-8000-%012d', i), project_id, 'copy-' || i, type, sealed, secret_bytes,
      secret_version, policy, revision, request_mac, created_at, created_by
    FROM n, access_keys WHERE access_keys.id = ?`;
  const id = await addKey(world, "copied", { type: "string", value: "x" });
  await harness.db.prepare(copies).bind(id).run();
  const { db, statements } = losing("never");
  const keys = await vault(db);
  const listed = await keys.list(owner, world.projectId, null, { limit: 1000 });
  expect(listed.items).toHaveLength(1000);
  const reading = statements.filter((sql) => sql.includes("FROM access_keys"));
  expect(reading).toHaveLength(1);
  expect(reading[0]).not.toMatch(/\bsealed\b/);
});

async function audited(keyId: string) {
  const { results } = await harness.db
    .prepare("SELECT action FROM audit WHERE key_id = ? ORDER BY seq")
    .bind(keyId)
    .all<{ action: string }>();
  return results.map(({ action }) => action);
}

const row = (id: string) => harness.db.prepare("SELECT * FROM access_keys WHERE id = ?").bind(id).first();

/** The key as it is shown, and its secret, which opens for just this row. */
async function opened(id: string) {
  const key = await (await vault(harness.db)).show(owner, world.projectId, id);
  const sealed = fromBlob((await row(id))?.sealed as number[]);
  const secret = await openKey(await sealerOn(harness.db), { key, sealed, secretBytes: 0 });
  return { key, secret: secret.type === "string" ? secret.value : null };
}

async function settled(promise: Promise<unknown>) {
  const [{ status }] = await Promise.allSettled([promise]);
  return status;
}

const secret = "handed-over-value";
const presented = judge(new Map(), { missing: "none" });

/** The Worker's own hand-over on this database, with the real rooms. */
async function handOverOn(db: D1Database) {
  const env = { ...defaultVars, DB: db, ...harness.objects };
  return createServices(env, await readConfig(env), new URL(issuer), () => undefined).agentProtocol.handOver;
}

const holdsSecret = (request: JobRequest) =>
  request.env_vars.some(({ value }) => Buffer.from(value, "base64").toString() === secret);

async function recorded(jobId: string): Promise<string[]> {
  const statement = harness.db.prepare("SELECT action FROM audit WHERE job_id = ? AND action <> 'job.start'");
  return (await statement.bind(jobId).all<{ action: string }>()).results.map(({ action }) => action).toSorted();
}
