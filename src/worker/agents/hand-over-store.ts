/**
 * What stands in the database before a secret leaves: an audit row for each key that will be opened, for the
 * token and for the fetch, the ledger row, and under which key the masks rest. One guarded batch: all or nothing.
 */
import type { AccessKey } from "../../protocol/access-keys.ts";
import type { Job } from "../../protocol/jobs.ts";
import { limits } from "../../protocol/limits.ts";
import { mustBeUnchanged, touchKeys } from "../access-keys/access-keys-store.ts";
import { type AuditEntry, auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import type { Sealer } from "../crypto/sealer.ts";
import type { SignedIdentity } from "../identity/issuer.ts";
import { insertDefaultMint } from "../identity/ledger-store.ts";
import type { Bytes } from "../lib/bytes.ts";
import { isGuardFailure, must, violatesUnique } from "../lib/d1.ts";
import { Fault, notFound } from "../lib/fault.ts";
import type { Clock } from "../lib/time.ts";

export interface HandOverRecord {
  readonly agentId: string;
  readonly job: Job;
  readonly keys: readonly AccessKey[];
  /** Null where the job gets no token. */
  readonly identity: SignedIdentity | null;
  readonly maskKeyId: Bytes;
}

/**
 * @throws Fault `not_found` where the job is no longer this claim's; `too_many` where its agent has fetched it as often
 *   as it may; `unavailable` where a twin fetch won, or where a
 *   key was changed or taken from the project since it was read: what is recorded is what leaves.
 */
export async function recordHandOver(
  { db, sealer, clock }: { db: D1Database; sealer: Pick<Sealer, "write">; clock: Clock },
  record: HandOverRecord,
): Promise<void> {
  const { agentId, job, keys, identity, maskKeyId } = record;
  const now = clock();
  const rows = await Promise.all(auditEntries(record).map((entry) => auditRow(entry, now)));
  const claim = [job.id, agentId, job.claim_number];
  const fetches = [job.id, job.claim_number, limits.jobFetches];
  const batch = [
    must(db, claimStands, ...claim),
    must(db, mayBeFetched, ...fetches),
    mustBeUnchanged(db, job.project_id, keys),
    ...rows.map((row) => insertAudit(db, row)),
    db.prepare("UPDATE jobs SET mask_key_id = ?, handed_over_at = ? WHERE id = ?").bind(maskKeyId, now, job.id),
    ...(keys.length === 0 ? [] : touchKeys(db, job, keys, now)),
    ...(identity === null ? [] : [recordMint(db, identity, record)]),
  ];
  try {
    await sealer.write(() => db.batch(batch));
  } catch (error) {
    if (isGuardFailure(error)) {
      const holds = async (guard: string, binds: readonly unknown[]) =>
        (await db
          .prepare(guard)
          .bind(...binds)
          .first()) !== null;
      if (!(await holds(claimStands, claim))) throw notFound();
      if (!(await holds(mayBeFetched, fetches))) throw new Fault("too_many", "the job was fetched too often");
      throw new Fault("unavailable", "an access key was just changed", { cause: error, retryAfterSeconds: 1 });
    }
    if (violatesUnique(error, "identity_ledger.job_id")) {
      // Two fetches at once both minted; the one that lost asks again, and finds the other's row.
      throw new Fault("unavailable", "the job is being handed over", { cause: error, retryAfterSeconds: 1 });
    }
    throw error;
  }
}

const claimStands = `SELECT 1 FROM jobs WHERE id = ? AND agent_id = ? AND claim_number = ? AND state = 'running'
  AND fetch_closed_at IS NULL AND EXISTS (
    SELECT 1 FROM agents a WHERE a.id = jobs.agent_id AND a.disconnected_at IS NULL)`;

/** Before anything is written: what is refused must not fill the record, nor say there that a key left. */
const mayBeFetched = `SELECT 1 WHERE (SELECT count(*) FROM audit
  WHERE job_id = ? AND action = 'job.fetch' AND details ->> 'claim_number' = ?) < ?`;

function recordMint(db: D1Database, identity: SignedIdentity, { job, agentId }: HandOverRecord): D1PreparedStatement {
  const { mint, sub } = identity;
  return insertDefaultMint(db, { ...mint, sub, jobId: job.id, claimNumber: job.claim_number, agentId });
}

function auditEntries({ agentId, job, keys, identity }: HandOverRecord): AuditEntry[] {
  const common = { principal: { kind: "agent", id: agentId }, projectId: job.project_id, jobId: job.id } as const;
  const claim = { claim_number: job.claim_number };
  return [
    { ...common, action: "job.fetch", details: claim },
    ...keys.map((key) => ({
      ...common,
      action: "key.unseal" as const,
      keyId: key.id,
      details: { ...claim, name: key.name, secret_version: key.secret_version },
    })),
    ...(identity === null
      ? []
      : [
          {
            ...common,
            action: "identity.mint" as const,
            details: { jti: identity.mint.jti, kid: identity.mint.kid, sub: identity.sub },
          },
        ]),
  ];
}
