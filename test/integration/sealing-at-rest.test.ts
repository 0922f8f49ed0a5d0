/**
 * What a writer to the database, or an altered backup, can do to sealed records: nothing but fail the job that needs
 * them, with one public error that tells no cause from another.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addKey, createWorld, finishJob, jobWithKeys, takeJob, type World } from "../support/api.ts";
import { dumpDatabase, formsOf } from "../support/at-rest.ts";
import { defaultVars, type Harness, startHarness } from "../support/harness.ts";
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
      await expect(records.writeSealed("target", flipped)).rejects.toThrow("stale sealing key");
      await records.withoutTriggers("access_keys", () => records.writeSealed("target", flipped));
    } else await records.writeSealed("target", flipped);
    try {
      await records.failsToOpen(jobId, `${part} ${at}`);
    } finally {
      await records.writeSealed("target", original);
    }
  });

  it("cut short, lengthened or emptied does not open", async () => {
    const lengths = [0, 1, 8, 9, 40, 84, 85, 100, 101, original.length - 17, original.length - 1];
    const altered = [
      ...lengths.map((length) => original.subarray(0, length)),
      Buffer.concat([original, Buffer.alloc(1)]),
    ];
    for (const record of altered) {
      const jobId = await world.startJob(jobWithKeys("target"));
      await records.withoutTriggers("access_keys", () => records.writeSealed("target", record));
      await records.failsToOpen(jobId, `${record.length} bytes`);
    }
    await records.writeSealed("target", original);
    await records.opens("target", "canary-target-value");
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
      await records.failsToOpen(jobId, `spec: ${what}`);
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
