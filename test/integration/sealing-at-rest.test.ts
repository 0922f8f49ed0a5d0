/**
 * What a writer to the database, or an altered backup, can do to sealed records: nothing but fail the job that needs
 * them, with one public error that tells no cause from another.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  addKey,
  addProject,
  comparable,
  createWorld,
  dumpDatabase,
  envOf,
  fetchJob,
  finishJob,
  formsOf,
  jobWithKeys,
  noticesOf,
  sync,
  takeJob,
  type World,
} from "../support/api.ts";
import { defaultVars, type Harness, startHarness } from "../support/harness.ts";

/** docs/storage.md: version 1, key id 8, salt 32, commitment 32, IV 12, then ciphertext and tag 16. */
const parts = { version: [0, 1], keyId: [1, 9], salt: [9, 41], commitment: [41, 73], iv: [73, 85] } as const;

let harness: Harness;
let world: World;
let agent: string;
let original: Buffer;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
  await addKey(world, "target", { type: "string", value: "canary-target-value" });
  await addKey(world, "twin", { type: "string", value: "canary-twin-value" });
  original = await sealedOf("target");
});
afterAll(() => harness.close());

async function sealedOf(name: string): Promise<Buffer> {
  const row = await harness.db
    .prepare("SELECT sealed FROM access_keys WHERE name = ?")
    .bind(name)
    .first<number[]>("sealed");
  return Buffer.from(row ?? []);
}

const writeSealed = (name: string, sealed: Buffer) =>
  harness.db.prepare("UPDATE access_keys SET sealed = ? WHERE name = ?").bind(Uint8Array.from(sealed), name).run();

/** Runs without a table's triggers, as whoever writes a backup's file does. */
async function withoutTriggers(table: string, run: () => Promise<unknown>): Promise<void> {
  const { results } = await harness.db
    .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?")
    .bind(table)
    .all<{ name: string; sql: string }>();
  for (const { name } of results) await harness.db.prepare(`DROP TRIGGER ${name}`).run();
  await run();
  for (const { sql } of results) await harness.db.prepare(sql).run();
}

const show = async (jobId: string) => (await world.as(world.owner, "GET", `/api/v1/jobs/${jobId}`)).body;

/** All that its agent is told: what it is told of a job that is not its own. Its reason says the rest, in one way. */
let told: string | null = null;

/** Claims the job and fetches it: it must fail with the one public error, and its agent must be free after. */
async function failsToOpen(jobId: string, what: string): Promise<void> {
  const { body } = await sync(world, agent, "waiting-for-jobs");
  expect([what, body.job_id]).toEqual([what, jobId]);
  const answer: Answer = await fetchJob(world, agent, jobId);
  expect([what, answer.status, answer.body.code]).toEqual([what, 404, "not_found"]);
  told ??= comparable(answer);
  expect([what, comparable(answer)]).toEqual([what, told]);
  expect(answer.text).not.toContain("canary");
  const job = await show(jobId);
  expect([what, job.state, job.result]).toEqual([what, "finished", "failed"]);
  expect(job.reason).toMatch(/^(access key \w+|its specification): a sealed record could not be opened$/);
  expect(await noticesOf(harness, jobId)).toEqual([expect.stringContaining("a sealed record could not be opened")]);
  expect((await fetchJob(world, agent, jobId)).status).toBe(404);
  expect((await sync(world, agent, "finished-job", jobId, "failed")).body.action).toBe("wait-for-jobs");
}

/** The key opens for a job as it did when it was stored. */
async function opens(name: string, value: string): Promise<void> {
  const jobId = await world.startJob(jobWithKeys(name));
  const { request } = await takeJob(world, agent);
  expect(envOf(request, name.toUpperCase())).toBe(value);
  await finishJob(world, agent, jobId);
}

describe("a key's record", () => {
  const flips: [string, number, number][] = [
    ...Object.entries(parts).flatMap(([part, [from, to]]): [string, number, number][] =>
      part === "version"
        ? [
            [part, from, 0],
            [part, from, 1],
            [part, from, 7],
          ]
        : [
            [part, from, 0],
            [part, Math.floor((from + to) / 2), 3],
            [part, to - 1, 7],
          ],
    ),
    ["ciphertext", 85, 0],
    ["ciphertext", 95, 5],
    ["tag", -16, 0],
    ["tag", -1, 7],
  ];

  it.each(flips)("with one bit of its %s flipped (byte %i, bit %i) does not open", async (part, at, bit) => {
    const flipped = Buffer.from(original);
    const place = at < 0 ? flipped.length + at : at;
    flipped[place] = (flipped[place] ?? 0) ^ (1 << bit);
    const jobId = await world.startJob(jobWithKeys("target"));
    if (part === "keyId") {
      await expect(writeSealed("target", flipped)).rejects.toThrow("stale sealing key");
      await withoutTriggers("access_keys", () => writeSealed("target", flipped));
    } else await writeSealed("target", flipped);
    try {
      await failsToOpen(jobId, `${part} ${at}`);
    } finally {
      await writeSealed("target", original);
    }
  });

  it("cut short, lengthened or emptied does not open", async () => {
    const lengths = [0, 1, 8, 9, 40, 84, 85, 100, 101, original.length - 17, original.length - 1];
    const records = [
      ...lengths.map((length) => original.subarray(0, length)),
      Buffer.concat([original, Buffer.alloc(1)]),
    ];
    for (const record of records) {
      const jobId = await world.startJob(jobWithKeys("target"));
      await withoutTriggers("access_keys", () => writeSealed("target", record));
      await failsToOpen(jobId, `${record.length} bytes`);
    }
    await writeSealed("target", original);
    await opens("target", "canary-target-value");
  });

  it("moved to another row of its project does not open there, nor the other here", async () => {
    const twin = await sealedOf("twin");
    await writeSealed("target", twin);
    await writeSealed("twin", original);
    for (const name of ["target", "twin"]) await failsToOpen(await world.startJob(jobWithKeys(name)), name);
    await writeSealed("target", original);
    await writeSealed("twin", twin);
    await opens("twin", "canary-twin-value");
  });

  it("whose row is moved to another project, id, type or version does not open", async () => {
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
      ["removal", () => set("sealed = NULL WHERE name = 'target'"), () => writeSealed("target", original), "target"],
    ];
    for (const [what, tamper, restore, key] of cases) {
      await tamper();
      await failsToOpen(await world.startJob(jobWithKeys(key)), what);
      await restore();
    }
    const { id } = (await world.as(world.owner, "GET", `/api/v1/projects/${world.projectId}/keys?name=target`)).body
      .items[0];
    await set("id = ? WHERE id = ?", "00000000-0000-7000-8000-000000000001", id);
    await failsToOpen(await world.startJob(jobWithKeys("target")), "id");
    await set("id = ? WHERE name = 'target'", id);
    await opens("target", "canary-target-value");
  });

  it("of type none, made from one that holds a secret, hands over nothing", async () => {
    const jobId = await world.startJob(jobWithKeys("target"));
    await harness.db.prepare("UPDATE access_keys SET type = 'none' WHERE name = 'target'").run();
    await sync(world, agent, "waiting-for-jobs");
    const answer = await fetchJob(world, agent, jobId);
    expect(answer.text).not.toContain(Buffer.from("canary-target-value").toString("base64"));
    await harness.db.prepare("UPDATE access_keys SET type = 'string' WHERE name = 'target'").run();
    await sync(world, agent, "finished-job", jobId, "failed");
  });
});

describe("a job's specification", () => {
  const specOf = async (jobId: string) =>
    Buffer.from(
      (await harness.db
        .prepare("SELECT sealed FROM job_specs WHERE job_id = ?")
        .bind(jobId)
        .first<number[]>("sealed")) ?? [],
    );
  const writeSpec = (jobId: string, sealed: Buffer) =>
    harness.db.prepare("UPDATE job_specs SET sealed = ? WHERE job_id = ?").bind(Uint8Array.from(sealed), jobId).run();

  it("that was altered, cut or taken from another job does not open, and its job fails", async () => {
    const other = await world.startJob({ spec: { commands: ["echo other"] } });
    const foreign = await specOf(other);
    await takeJob(world, agent);
    await finishJob(world, agent, other);
    const tamperings: [string, (spec: Buffer) => Buffer][] = [
      ["altered", (spec) => Buffer.concat([spec.subarray(0, -1), Buffer.from([(spec.at(-1) ?? 0) ^ 1])])],
      ["cut", (spec) => spec.subarray(0, -1)],
      ["another job's", () => foreign],
      ["a key's", () => original],
    ];
    for (const [what, tamper] of tamperings) {
      const jobId = await world.startJob();
      await writeSpec(jobId, tamper(await specOf(jobId)));
      await failsToOpen(jobId, `spec: ${what}`);
    }
  });
});

describe("a write under a sealing key that does not seal", () => {
  const strange = () => Buffer.concat([original.subarray(0, 1), Buffer.alloc(8, 0xee), original.subarray(9)]);

  it("aborts on every sealed table and for masks, inserted or updated", async () => {
    const jobId = await world.startJob();
    const blob = Uint8Array.from(strange());
    const statements = [
      harness.db.prepare("UPDATE access_keys SET sealed = ? WHERE name = 'target'").bind(blob),
      harness.db
        .prepare(
          `INSERT INTO access_keys (id, project_id, name, type, sealed, secret_bytes, secret_version, policy, revision,
             request_mac, created_at, created_by)
           SELECT 'x', project_id, 'x', type, ?, secret_bytes, secret_version, policy, revision, request_mac, created_at,
             created_by FROM access_keys WHERE name = 'target'`,
        )
        .bind(blob),
      harness.db.prepare("UPDATE job_specs SET sealed = ? WHERE job_id = ?").bind(blob, jobId),
      harness.db.prepare("INSERT OR REPLACE INTO job_specs (job_id, sealed) VALUES (?, ?)").bind(jobId, blob),
      harness.db.prepare("UPDATE jobs SET mask_key_id = ? WHERE id = ?").bind(blob.slice(1, 9), jobId),
    ];
    for (const statement of statements) await expect(statement.run()).rejects.toThrow("stale sealing key");
    await world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);
  });

  it("is answered 503, to try again, where the database names another key than the isolate knows", async () => {
    const keyId = Uint8Array.from(original.subarray(1, 9));
    const other = new Uint8Array(8).fill(0xee);
    await harness.db
      .prepare("INSERT INTO sealing_keys (key_id, self_test, created_at) SELECT ?, self_test, 0 FROM sealing_keys")
      .bind(other)
      .run();
    const create = (name: string) =>
      world.as(world.owner, "POST", `/api/v1/projects/${world.projectId}/keys`, {
        name,
        secret: { type: "string", value: "x" },
      });
    expect((await create("before-the-switch")).status).toBe(201);
    await harness.db.prepare("UPDATE sealing_state SET seals_with = ?").bind(other).run();
    try {
      const stale = await create("during-the-switch");
      expect([stale.status, stale.body.code]).toEqual([503, "unavailable"]);
      expect(Number(stale.headers.get("retry-after"))).toBeGreaterThan(0);
      const missing = await create("after-the-switch");
      expect([missing.status, missing.body.code]).toEqual([503, "binding_unusable"]);
    } finally {
      await harness.db.prepare("UPDATE sealing_state SET seals_with = ?").bind(keyId).run();
    }
  });
});

describe("a self-test that fails", () => {
  it("is named, with the slot to look at, before any record is touched", async () => {
    const other = Buffer.from(original);
    await harness.db
      .prepare("UPDATE sealing_keys SET self_test = ? WHERE key_id = ?")
      .bind(Uint8Array.from(other), Uint8Array.from(other.subarray(1, 9)))
      .run();
    // New isolates read the database's word afresh.
    await harness.deploy({ SETTINGS: `${defaultVars.SETTINGS} ` });
    const body = { name: "unproven", secret: { type: "string", value: "x" } };
    const answer = await world.as(world.owner, "POST", `/api/v1/projects/${world.projectId}/keys`, body);
    expect([answer.status, answer.body.code]).toEqual([503, "binding_unusable"]);
    expect(answer.body.detail).toContain("ACCESS_KEY_ENCRYPTION");
  });
});

describe("a dump of the database", () => {
  it("holds no secret, and nothing of the bindings", async () => {
    const dump = await dumpDatabase(harness);
    const values = ["canary-target-value", "canary-twin-value", "canary-stolen", defaultVars.ACCESS_KEY_ENCRYPTION];
    const { d, p, q } = JSON.parse(defaultVars.SIGNING_KEY_1);
    for (const form of [...values.flatMap(formsOf), d, p, q, defaultVars.BOOTSTRAP_TOKEN])
      expect(dump).not.toContain(form);
    expect(dump).not.toContain(Buffer.from(defaultVars.ACCESS_KEY_ENCRYPTION, "base64").toString("latin1"));
  });
});
