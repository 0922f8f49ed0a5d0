/** Sealed records out of their place: rows, projects, types, versions and columns swapped. None opens. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { addKey, addProject, createWorld, jobWithKeys, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { parts, tamperingWith } from "../support/tampering.ts";

let harness: Harness;
let world: World;
let agent: string;
let original: Buffer;
let records: ReturnType<typeof tamperingWith>;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
  records = tamperingWith(world, agent);
  await addKey(world, "target", { type: "string", value: "canary-target-value" });
  await addKey(world, "twin", { type: "string", value: "canary-twin-value" });
  original = await records.sealedOf("target");
});
afterAll(() => harness.close());

it("a record that is moved to another row of its project does not open there, nor the other here", async () => {
  const twin = await records.sealedOf("twin");
  await records.writeSealed("target", twin);
  await records.writeSealed("twin", original);
  for (const name of ["target", "twin"]) await records.failsToOpen(await world.startJob(jobWithKeys(name)), name);
  await records.writeSealed("target", original);
  await records.writeSealed("twin", twin);
  await records.opens("twin", "canary-twin-value");
});

it("a record whose row is moved to another project, id, type or version does not open", async () => {
  const projectId = await addProject(world, "receiver");
  const stolen = await addKey(world, "stolen", { type: "string", value: "canary-stolen" }, { projectId });
  const set = (sql: string, ...binds: unknown[]) =>
    harness.db
      .prepare(`UPDATE access_keys SET ${sql}`)
      .bind(...binds)
      .run();
  const cases: [string, () => Promise<unknown>, () => Promise<unknown>, string][] = [
    [
      "project",
      () => set("project_id = ? WHERE id = ?", world.projectId, stolen),
      () => set("project_id = ? WHERE id = ?", projectId, stolen),
      "stolen",
    ],
    [
      "type",
      () => set("type = 'login_password' WHERE name = 'target'"),
      () => set("type = 'string' WHERE name = 'target'"),
      "target",
    ],
    [
      "version",
      () => set("secret_version = 2 WHERE name = 'target'"),
      () => set("secret_version = 1 WHERE name = 'target'"),
      "target",
    ],
    [
      "removal",
      () => set("sealed = NULL WHERE name = 'target'"),
      () => records.writeSealed("target", original),
      "target",
    ],
  ];
  for (const [what, tamper, restore, key] of cases) {
    await tamper();
    await records.failsToOpen(await world.startJob(jobWithKeys(key)), what);
    await restore();
  }
  const { id } = (await world.as(world.owner, "GET", `/api/v1/projects/${world.projectId}/keys?name=target`)).body
    .items[0];
  await set("id = ? WHERE id = ?", "00000000-0000-7000-8000-000000000001", id);
  await records.failsToOpen(await world.startJob(jobWithKeys("target")), "id");
  await set("id = ? WHERE name = 'target'", id);
  await records.opens("target", "canary-target-value");
});

it("a record that is replaced by another column's bytes, or spliced with another record, does not open", async () => {
  const bytesOf = async (column: string, table: string) =>
    Buffer.from((await harness.db.prepare(`SELECT ${column} AS b FROM ${table} LIMIT 1`).first<number[]>("b")) ?? []);
  const jobId = await world.startJob();
  const twin = await records.sealedOf("twin");
  const splices = [parts.salt, parts.commitment, parts.iv, [85, twin.length]].map(([from = 0, to]) =>
    Buffer.concat([original.subarray(0, from), twin.subarray(from, to), original.subarray(to)]),
  );
  const foreign: [string, Buffer][] = [
    ["a specification", await bytesOf("sealed", `job_specs WHERE job_id = '${jobId}'`)],
    ["the self-test", await bytesOf("self_test", "sealing_keys")],
    ["the request's MAC", await bytesOf("request_mac", "access_keys WHERE name = 'target'")],
    ...splices.map((record, at): [string, Buffer] => [`splice ${at}`, record]),
  ];
  await world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);
  for (const [what, record] of foreign) {
    expect(record.length).toBeGreaterThan(0);
    await records.withoutTriggers("access_keys", () => records.writeSealed("target", record));
    await records.failsToOpen(await world.startJob(jobWithKeys("target")), what);
  }
  await records.writeSealed("target", original);
  await records.opens("target", "canary-target-value");
});

it("a record that is put back as it was with all of its row does open: that is not detected, as SECURITY.md says", async () => {
  const id = await addKey(world, "rolled", { type: "string", value: "before" });
  const row = harness.db.prepare("SELECT sealed, secret_version FROM access_keys WHERE id = ?").bind(id);
  const image = await row.first<{ sealed: number[]; secret_version: number }>();
  const path = `/api/v1/projects/${world.projectId}/keys/${id}`;
  await world.as(world.owner, "PATCH", path, { secret: { type: "string", value: "after" } });
  await records.opens("rolled", "after");
  await harness.db
    .prepare("UPDATE access_keys SET sealed = ?, secret_version = ? WHERE id = ?")
    .bind(Uint8Array.from(image?.sealed ?? []), image?.secret_version, id)
    .run();
  await records.opens("rolled", "before");
});
it("a key of type none, made from one that holds a secret, does not open", async () => {
  const setType = (type: string) =>
    harness.db.prepare("UPDATE access_keys SET type = ? WHERE name = 'target'").bind(type).run();
  const jobId = await world.startJob(jobWithKeys("target"));
  await setType("none");
  await records.failsToOpen(jobId, "type none");
  await setType("string");
  await records.opens("target", "canary-target-value");
});
