/** A secret that a person took out of an export: marked, audited, and asked to be replaced until it is. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { addKey, createWorld, type World } from "../support/api.ts";
import { defaultVars, type Harness, startHarness } from "../support/harness.ts";
import { runCli } from "../unit/cli/support.ts";

let harness: Harness;
let world: World;
let ownerId: string;
const folder = mkdtempSync(join(tmpdir(), "sightings-"));
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  ownerId = (await world.as(world.owner, "GET", "/api/v1/whoami")).body.token.id;
  writeFileSync(at("key"), defaultVars.ACCESS_KEY_ENCRYPTION);
  await addKey(world, "deploy", { type: "string", value: "what deploy holds" });
  await addKey(world, "other", { type: "string", value: "what other holds" });
});
afterAll(async () => {
  await harness.close();
  rmSync(folder, { recursive: true });
});

const cli = (args: string[]) =>
  runCli(args, { env: { SIGNALBOX_URL: harness.url.origin, SIGNALBOX_TOKEN: world.owner } });
/** As `wrangler d1 export` writes it: tables, then rows. */
async function exported(): Promise<string> {
  const parts: string[] = [];
  for (const table of ["projects", "access_keys"]) {
    const made = await harness.db.prepare("SELECT sql FROM sqlite_master WHERE name = ?").bind(table).first("sql");
    const { results } = await harness.db.prepare(`SELECT * FROM ${table}`).all<Record<string, unknown>>();
    const inserts = results.map((row) => `INSERT INTO ${table} VALUES (${Object.values(row).map(literal).join(",")});`);
    parts.push(`${made};`, ...inserts);
  }
  return parts.join("\n");
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `X'${Buffer.from(value).toString("hex")}'`;
  return typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);
}

/** The database as it is now, and `recover` of one key of it. */
async function recover(name: string, ...args: string[]) {
  writeFileSync(at("dump.sql"), await exported());
  return cli(["recover", "--export", at("dump.sql"), "--key-file", at("key"), "--key", name, ...args]);
}
const keys = async () => (await world.as(world.owner, "GET", `/api/v1/projects/${world.projectId}/keys`)).body.items;
const named = async (name: string) => (await keys()).find((key: { name: string }) => key.name === name);
const list = () => cli(["key", "list", "--project", "web"]);
const events = async (id: string) =>
  (await world.as(world.owner, "GET", `/api/v1/audit?key_id=${id}`)).body.items.filter(
    ({ action }: { action: string }) => action === "key.seen",
  );

it("a key that recover opened is asked to be replaced in every list, with who and when, and in the audit record", async () => {
  const unreported = await recover("deploy");
  expect([unreported.code, (await named("deploy")).seen_at]).toEqual([0, null]);
  const reported = await recover("deploy", "--output", at("secrets"), "--report", harness.url.origin);
  expect(reported.code, reported.stderr).toBe(0);
  expect(reported.stderr).toContain("1 to be replaced");
  expect(readFileSync(at("secrets"), "utf8")).toContain("what deploy holds");
  const { id, seen_at, seen_by } = await named("deploy");
  expect([typeof seen_at, seen_by]).toEqual(["string", ownerId]);
  expect((await list()).stderr).toBe(
    `replace deploy: ${ownerId} saw its secret at ${seen_at} (signalbox key change, with a new secret)\n`,
  );
  expect(await events(id)).toMatchObject([{ principal: { id: ownerId }, details: { secret_version: 1 } }]);
  // Said again, the first time stands.
  await recover("deploy", "--report", harness.url.origin);
  expect((await named("deploy")).seen_at).toBe(seen_at);
});

it("a rename leaves the mark, a new secret takes it away, and a report of the old secret does not bring it back", async () => {
  const { id } = await named("deploy");
  const path = `/api/v1/projects/${world.projectId}/keys/${id}`;
  const renamed = await world.as(world.owner, "PATCH", path, { name: "deployed" });
  expect(renamed.body.seen_by).toBe(ownerId);
  await recover("deployed");
  const replaced = await world.as(world.owner, "PATCH", path, { secret: { type: "string", value: "a new one" } });
  expect([replaced.body.seen_at, replaced.body.seen_by]).toEqual([null, null]);
  const late = ["--export", at("dump.sql"), "--key-file", at("key"), "--key", "deployed"];
  const reported = await cli(["recover", ...late, "--report", harness.url.origin]);
  expect(reported.stderr).toContain("0 to be replaced, 1 replaced since");
  expect((await named("deployed")).seen_at).toBeNull();
  expect((await list()).stderr).toBe("");
});

it("what does not exist, or never had that version, is named and nothing is written of it", async () => {
  const { id } = await named("other");
  const stranger = crypto.randomUUID();
  const report = (sightings: unknown) => world.as(world.owner, "POST", "/api/v1/keys/sightings", { sightings });
  const answer = await report([
    { key_id: id, secret_version: 2 },
    { key_id: stranger, secret_version: 1 },
  ]);
  expect(answer.body).toEqual({ marked: [], replaced: [], unknown: [id, stranger] });
  expect([(await named("other")).seen_at, await events(id)]).toEqual([null, []]);
  const twice = await report([1, 1].map((secret_version) => ({ key_id: id, secret_version })));
  expect([twice.status, twice.body.errors[0].pointer]).toEqual([400, "/sightings"]);
});

it("a report that cannot be made is named before a key is opened; one that is refused comes after the file", async () => {
  const inClear = await recover("other", "--output", at("early"), "--report", "http://ci.example.com");
  expect([inClear.code, inClear.stderr]).toEqual([2, expect.stringContaining("use https")]);
  expect(() => readFileSync(at("early"))).toThrow("ENOENT");
  writeFileSync(at("token"), "sbx_api_nobody");
  const args = ["--output", at("late"), "--report", harness.url.origin, "--token-file", at("token")];
  const refused = await recover("other", ...args);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("401")]);
  expect(readFileSync(at("late"), "utf8")).toContain("what other holds");
});
