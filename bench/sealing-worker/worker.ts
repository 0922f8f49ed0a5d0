/**
 * The real Worker, and on paths of its own: a step of sealing, repeated; a vault filled with sealed keys; and what the
 * routes have asked of D1 and of the cipher since that was asked last.
 */

import { KeyPolicy } from "../../src/protocol/access-keys.ts";
import { insertKey } from "../../src/worker/access-keys/access-keys-store.ts";
import { seal } from "../../src/worker/crypto/sealing.ts";
import type { SealingKey } from "../../src/worker/crypto/sealing-key.ts";
import { type Env, readConfig } from "../../src/worker/env.ts";
import worker from "../../src/worker/index.ts";
import { fromHex, systemRandom, utf8 } from "../../src/worker/lib/bytes.ts";
import { uuidv7 } from "../../src/worker/lib/ids.ts";
import { systemClock, toTimestamp } from "../../src/worker/lib/time.ts";
import { startCounting, takeCounts } from "./counts.ts";
import { stepsOf } from "./steps.ts";

export { LogRoom } from "../../src/worker/index.ts";

const rowsPerBatch = 100;

async function repeat(key: SealingKey, name: string, count: number): Promise<void> {
  const step = (await stepsOf(key))[name];
  if (step === undefined) throw new Error(`there is no step ${name}`);
  for (let done = 0; done < count; done++) await step();
}

/** Rows as the vault writes them; their secrets are too many to be sent through its route one by one. */
async function fill(db: D1Database, key: SealingKey, projectId: string, rows: number): Promise<void> {
  for (let at = 0; at < rows; at += rowsPerBatch) {
    const batch = Array.from({ length: rowsPerBatch }, (_, index) => keyRow(db, key, projectId, `key-${at + index}`));
    await db.batch(await Promise.all(batch));
  }
}

async function keyRow(db: D1Database, key: SealingKey, projectId: string, name: string): Promise<D1PreparedStatement> {
  const now = systemClock();
  const id = uuidv7(now, systemRandom);
  const context = { purpose: "access_key", projectId, recordId: id, secretVersion: 1, type: "string" } as const;
  const secret = utf8(JSON.stringify({ type: "string", value: "v".repeat(1024) }));
  return insertKey(db, {
    key: {
      id,
      project_id: projectId,
      name,
      type: "string",
      policy: KeyPolicy.parse({}),
      public_key: null,
      fingerprint: null,
      comment: null,
      revision: 1,
      secret_version: 1,
      created_at: toTimestamp(now),
      created_by: projectId,
      changed_at: null,
      changed_by: null,
      last_used_at: null,
      last_used_job: null,
      seen_at: null,
      seen_by: null,
    },
    sealed: await seal(key, secret, context, systemRandom),
    secretBytes: 1024,
    requestMac: new Uint8Array(32),
    createdAt: now,
  });
}

async function answer(env: Env, name: string, query: URLSearchParams): Promise<unknown> {
  const { keys } = (await readConfig(env)).sealing;
  const [key] = keys;
  if (key === undefined) throw new Error("the bench needs ACCESS_KEY_ENCRYPTION");
  switch (name) {
    case "step":
      return repeat(key, query.get("name") ?? "", Number(query.get("count")));
    case "fill":
      return fill(env.DB, key, query.get("project") ?? "", Number(query.get("rows")));
    case "seal-with":
      // Back and forth, which a rotation would refuse: a fresh key for every measurement would be another deployment.
      return env.DB.prepare("UPDATE sealing_state SET seals_with = ?")
        .bind(fromHex(query.get("key") ?? ""))
        .run();
    case "counts":
      startCounting(env.DB);
      return takeCounts();
    default:
      throw new Error(`the bench has no ${name}`);
  }
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (!pathname.startsWith("/bench/")) return worker.fetch(request, env);
    return Response.json((await answer(env, pathname.slice("/bench/".length), searchParams)) ?? null);
  },
} satisfies ExportedHandler<Env>;
