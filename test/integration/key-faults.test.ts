/** The vault over a database that fails before or after it commits: nothing half-written, and no effect unrecorded. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AccessKeyCreate } from "../../src/protocol/access-keys.ts";
import type { Person } from "../../src/protocol/principal.ts";
import { createAccessKeys } from "../../src/worker/access-keys/access-keys.ts";
import { parseHeldKeys } from "../../src/worker/crypto/keyring.ts";
import { createSealer } from "../../src/worker/crypto/sealer.ts";
import { systemRandom } from "../../src/worker/lib/bytes.ts";
import { systemClock } from "../../src/worker/lib/time.ts";
import { createProjects } from "../../src/worker/projects/projects.ts";
import { addKey, createWorld, rowCounts, type World } from "../support/api.ts";
import { defaultVars, type Harness, startHarness } from "../support/harness.ts";

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

async function vault(db: D1Database) {
  const held = await parseHeldKeys([["ACCESS_KEY_ENCRYPTION", defaultVars.ACCESS_KEY_ENCRYPTION]]);
  const sealer = createSealer(db, held, systemClock, systemRandom);
  const base = { db, sealer, clock: systemClock, random: systemRandom };
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

it("a change that is lost before it commits leaves the secret, its version and its description as they were", async () => {
  const id = await addKey(world, "unchanged", { type: "string", value: "x" });
  const row = () => harness.db.prepare("SELECT * FROM access_keys WHERE id = ?").bind(id).first();
  const before = await row();
  const keys = await vault(losing("before").db);
  const patch = { secret: { type: "string", value: "y" } } as const;
  await expect(keys.change(owner, world.projectId, id, patch, null)).rejects.toThrow();
  expect(await row()).toEqual(before);
  expect(await audited(id)).toEqual(["key.create"]);
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
