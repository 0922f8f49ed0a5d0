/** What is done to a key stands in the audit record, once; where it cannot stand there it is not done. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Person } from "../../src/protocol/principal.ts";
import { createKeySharing } from "../../src/worker/access-keys/key-sharing.ts";
import { parseHeldKeys } from "../../src/worker/crypto/keyring.ts";
import { createSealer } from "../../src/worker/crypto/sealer.ts";
import { systemRandom } from "../../src/worker/lib/bytes.ts";
import { systemClock } from "../../src/worker/lib/time.ts";
import { createProjects } from "../../src/worker/projects/projects.ts";
import { addKey, createWorld, envOf, fetchJob, finishJob, jobWithKeys, sync, type World } from "../support/api.ts";
import { formsOf, rowCounts } from "../support/at-rest.ts";
import { withEachCallLost } from "../support/faulty-database.ts";
import { defaultVars, type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;
let agent: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
});
afterAll(() => harness.close());

const ofOwner: Person = {
  kind: "token",
  id: randomUUID(),
  name: "o",
  role: "owner",
  projectId: null,
  expiresAtMs: null,
};
const secret = "canary-of-the-unrecorded";
const owner = (method: string, path: string, body?: object, headers?: Record<string, string>) =>
  world.as(world.owner, method, path, body, headers);

async function organizationKey(name: string): Promise<string> {
  const answer = await owner("POST", "/api/v1/keys", { name, secret: { type: "none" } });
  expect(answer.status).toBe(201);
  return answer.body.id;
}

async function audited(keyId: string): Promise<string[]> {
  const statement = harness.db.prepare("SELECT action FROM audit WHERE key_id = ? ORDER BY seq").bind(keyId);
  return (await statement.all<{ action: string }>()).results.map(({ action }) => action);
}

/** The key's row and its shares, as they rest. */
async function rowsOf(id: string): Promise<unknown> {
  const select = (table: string, column: string) =>
    harness.db.prepare(`SELECT * FROM ${table} WHERE ${column} = ?`).bind(id);
  const [keys, shares] = await harness.db.batch([select("access_keys", "id"), select("key_shares", "key_id")]);
  return [keys?.results, shares?.results];
}

/** While `run` is under way, the database cannot record this action: its disk is full. */
async function unrecordable<Result>(action: string, run: () => Promise<Result>): Promise<Result> {
  const refuse = `CREATE TRIGGER disk_full BEFORE INSERT ON audit WHEN NEW.action = '${action}'
    BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`;
  await harness.db.prepare(refuse).run();
  try {
    return await run();
  } finally {
    await harness.db.prepare("DROP TRIGGER disk_full").run();
  }
}

it.each(["job.fetch", "key.unseal", "identity.mint"])(
  "the audit row stands before the secret leaves, or nothing leaves: %s",
  async (action) => {
    const name = action.replace(".", "-");
    const id = await addKey(world, name, { type: "string", value: secret });
    const jobId = await world.startJob(jobWithKeys(name));
    await sync(world, agent, "waiting-for-jobs");
    const [before, row] = [await rowCounts(harness), await rowsOf(id)];
    const answer = await unrecordable(action, () => fetchJob(world, agent, jobId));
    expect([answer.status, answer.body.code]).toEqual([500, "internal"]);
    for (const form of [...formsOf(secret), "eyJ"]) expect(answer.text).not.toContain(form);
    expect([await rowCounts(harness), await rowsOf(id)]).toEqual([before, row]);
    expect(await harness.roomRows(jobId, "SELECT * FROM masks")).toEqual([]);
    // The agent asks again; what it is handed then is recorded.
    const { body } = await fetchJob(world, agent, jobId);
    expect(envOf(body, name.toUpperCase().replace("-", "_"))).toBe(secret);
    expect(await audited(id)).toEqual(["key.create", "key.unseal"]);
    await finishJob(world, agent, jobId);
  },
);

it("no key is stored, generated, changed, deleted, shared or taken from a project where that cannot be recorded", async () => {
  const id = await organizationKey("unrecorded");
  const shared = await organizationKey("shared-before");
  await owner("POST", `/api/v1/keys/${shared}/shares`, { project_id: world.projectId });
  const effects: [string, string, string, object?][] = [
    ["key.create", "POST", "/api/v1/keys", { name: "never", secret: { type: "string", value: secret } }],
    ["key.create", "POST", "/api/v1/keys/generate", { name: "never" }],
    ["key.change", "PATCH", `/api/v1/keys/${id}`, { name: "never" }],
    ["key.share", "POST", `/api/v1/keys/${id}/shares`, { project_id: world.projectId }],
    ["key.unshare", "DELETE", `/api/v1/keys/${shared}/shares/${world.projectId}`],
    ["key.delete", "DELETE", `/api/v1/keys/${id}`],
    ["key.delete", "DELETE", `/api/v1/keys/${shared}?force=true`],
  ];
  const state = async () => [await rowCounts(harness), await rowsOf(id), await rowsOf(shared)];
  const before = await state();
  for (const [action, method, path, body] of effects) {
    const answer = await unrecordable(action, () => owner(method, path, body));
    expect([method, path, answer.status]).toEqual([method, path, 500]);
    expect(await state()).toEqual(before);
  }
});

async function sharingOn(db: D1Database) {
  const held = await parseHeldKeys([["ACCESS_KEY_ENCRYPTION", defaultVars.ACCESS_KEY_ENCRYPTION]]);
  const sealer = createSealer(db, held, systemClock, systemRandom);
  const base = { db, sealer, clock: systemClock, random: systemRandom };
  return createKeySharing({ ...base, projects: createProjects(base) });
}

it("a share, and its end, of which any call to the database is lost stands whole or not at all, recorded once", async () => {
  const listed = async (id: string) => (await owner("GET", `/api/v1/keys/${id}/shares`)).body.items;
  const shares = await withEachCallLost(harness.db, async ({ db, wasLost }, told) => {
    const id = await organizationKey(`shared-${told.nth}-${told.loss}`);
    const heard = await (await sharingOn(db)).share(ofOwner, id, world.projectId).catch(() => null);
    const standing = await listed(id);
    expect({ ...told, record: await audited(id) }).toEqual({
      ...told,
      record: standing.length === 0 ? ["key.create"] : ["key.create", "key.share"],
    });
    expect(heard === null).toBe(wasLost());
    const again = await (await sharingOn(harness.db)).share(ofOwner, id, world.projectId);
    expect(again.isNew).toBe(standing.length === 0);
    expect(await listed(id)).toEqual([again.value]);
    expect(await audited(id)).toEqual(["key.create", "key.share"]);
  });
  expect(shares).toBeGreaterThan(1);
  const ends = await withEachCallLost(harness.db, async ({ db, wasLost }, told) => {
    const id = await organizationKey(`unshared-${told.nth}-${told.loss}`);
    await (await sharingOn(harness.db)).share(ofOwner, id, world.projectId);
    const heard = await (await sharingOn(db)).unshare(ofOwner, id, world.projectId).catch(() => null);
    expect(heard === null).toBe(wasLost());
    const standing = await listed(id);
    const again = await owner("DELETE", `/api/v1/keys/${id}/shares/${world.projectId}`);
    expect({ ...told, status: again.status }).toEqual({ ...told, status: standing.length === 0 ? 404 : 200 });
    expect(await listed(id)).toEqual([]);
    expect(await audited(id)).toEqual(["key.create", "key.share", "key.unshare"]);
  });
  expect(ends).toBeGreaterThan(0);
});

it("of ten deletes at once one is done and recorded, and the others find nothing", async () => {
  const id = await addKey(world, "deleted-by-ten", { type: "none" });
  const path = `/api/v1/projects/${world.projectId}/keys/${id}`;
  const answers = await Promise.all([...Array(10)].map(() => owner("DELETE", path)));
  expect(answers.map(({ status }) => status).sort()).toEqual([204, ...Array(9).fill(404)]);
  expect(await audited(id)).toEqual(["key.create", "key.delete"]);
});

it.each(["", "?force=true"])(
  "If-Match on an old revision deletes nothing, on the key's own deletes it (%s)",
  async (force) => {
    const id = await addKey(world, `matched${force.slice(1, 6)}`, { type: "none" });
    const path = `/api/v1/projects/${world.projectId}/keys/${id}`;
    await owner("PATCH", path, { policy: {} });
    const before = await rowCounts(harness);
    const remove = (tag: string) => owner("DELETE", `${path}${force}`, undefined, { "if-match": tag });
    expect((await remove('"1"')).status).toBe(412);
    expect((await remove('W/"2"')).status).toBe(400);
    expect(await rowCounts(harness)).toEqual(before);
    expect((await remove('"2"')).status).toBe(force === "" ? 204 : 200);
  },
);
