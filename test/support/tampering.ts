/** What a writer to the database does to sealed records, and how a job then fails that needs one. */
import { expect } from "vitest";
import { type Answer, comparable, envOf, fetchJob, finishJob, jobWithKeys, sync, takeJob, type World } from "./api.ts";
import { noticesOf } from "./at-rest.ts";

/** docs/storage.md: version 1, key id 8, salt 32, commitment 32, IV 12, then ciphertext and tag 16. */
export const parts = { version: [0, 1], keyId: [1, 9], salt: [9, 41], commitment: [41, 73], iv: [73, 85] } as const;

/** `agent` must take the world's jobs, and have none. */
export function tamperingWith(world: World, agent: string) {
  const { harness } = world;

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

  /** What the audit record says of the job's sealed records. */
  async function recordOf(jobId: string): Promise<string[]> {
    const { items } = (await world.as(world.owner, "GET", `/api/v1/audit?job_id=${jobId}`)).body;
    const entries = items.filter(({ action }: { action: string }) => action.startsWith("sealed."));
    return entries.map(
      ({ action, details }: { action: string; details: { what: string } }) => `${action}: ${details.what}`,
    );
  }

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
    expect([what, await recordOf(jobId)]).toEqual([what, [`sealed.unreadable: ${job.reason.split(":")[0]}`]]);
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

  return { sealedOf, writeSealed, withoutTriggers, failsToOpen, opens };
}
