/** What becomes of an access key once it is stored: changed, or deleted. */
import type { AccessKey, AccessKeyDeletion, AccessKeyPatch } from "../../protocol/access-keys.ts";
import type { Person } from "../../protocol/principal.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import type { Sealer } from "../crypto/sealer.ts";
import { isGuardFailure, refusedByTrigger, violatesUnique } from "../lib/d1.ts";
import { Fault, notFound, refusedField, taken } from "../lib/fault.ts";
import { type Clock, type EpochMs, toTimestamp } from "../lib/time.ts";
import { deleteKey, findKey, mustBeThere, updateKey } from "./access-keys-store.ts";
import { mustBeUnreferenced, references, referringJobs } from "./key-references-store.ts";
import { describeSecret, sealSecret, secretBytes } from "./key-secret.ts";
import { selectShares, sharesIn } from "./key-shares-store.ts";

export interface KeyLifePorts {
  readonly db: D1Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
}

/**
 * A new secret is sealed under the next version, so that the record before it does not open in its place.
 * @throws Fault `precondition_failed` where `revision` is given and no longer the key's; `conflict` where the name is
 *   taken, or another change came between.
 */
export async function changeKey(
  ports: KeyLifePorts,
  person: Person,
  before: AccessKey,
  patch: AccessKeyPatch,
  revision: number | null,
  triesLeft = 5,
): Promise<AccessKey> {
  const { db, sealer, clock } = ports;
  if (revision !== null && revision !== before.revision) throw changedSince();
  if (patch.secret !== undefined && patch.secret.type !== before.type) {
    throw refusedField("/secret/type", `must be ${before.type}, as the key is: jobs rely on it`);
  }
  const now = clock();
  const after = await changed(before, patch, person.id, now);
  const { secret: given } = patch;
  const secret =
    given === undefined ? null : { sealed: await sealSecret(sealer, after, given), bytes: secretBytes(given) };
  const details = { fields: Object.keys(patch).join(" "), name: after.name, secret_version: after.secret_version };
  const entry = { action: "key.change", principal: person, ...scopeOf(before), keyId: before.id } as const;
  const audit = await auditRow({ ...entry, details }, now);
  try {
    const update = updateKey(db, { before, after, secret, changedAt: now });
    await sealer.write(() => db.batch([...update, insertAudit(db, audit)]));
  } catch (error) {
    if (isGuardFailure(error)) {
      if (revision !== null) throw changedSince();
      const fresh = triesLeft > 0 ? await findKey(ports.db, before.project_id, before.id) : before;
      if (fresh === null) throw notFound();
      if (fresh === before) throw crossed();
      return changeKey(ports, person, fresh, patch, revision, triesLeft - 1);
    }
    throw nameRefusal(error, after) ?? error;
  }
  return after;
}

async function changed(key: AccessKey, patch: AccessKeyPatch, by: string, now: EpochMs): Promise<AccessKey> {
  return {
    ...key,
    name: patch.name ?? key.name,
    policy: patch.policy ?? key.policy,
    ...(patch.secret === undefined ? {} : { ...(await describeSecret(patch.secret)), seen_at: null, seen_by: null }),
    revision: key.revision + 1,
    secret_version: key.secret_version + (patch.secret === undefined ? 0 : 1),
    changed_at: toTimestamp(now),
    changed_by: by,
  };
}

/** Why a name cannot be the key's, or null where an error says something else. */
export function nameRefusal(error: unknown, { project_id: scope }: AccessKey): Fault | null {
  if (violatesUnique(error)) {
    return taken("/name", `is taken by another key of ${scope === null ? "the organization" : "this project"}`);
  }
  if (!refusedByTrigger(error, "key name taken")) return null;
  return taken(
    "/name",
    scope === null ? "is taken in a project that shares the key" : "is taken by a key that this project shares",
  );
}

/** An audit row's project, which an organization's key has none of. */
export function scopeOf({ project_id: scope }: AccessKey): { projectId?: string } {
  return scope === null ? {} : { projectId: scope };
}

/**
 * @throws Fault `conflict`, naming what refers to the key, unless `force`; `precondition_failed` where `revision` is
 *   given and no longer the key's; `not_found` where another was first.
 */
export async function deleteKeyOf(
  { db, clock }: KeyLifePorts,
  person: Person,
  key: AccessKey,
  { force, revision }: KeyRemoval,
): Promise<AccessKeyDeletion> {
  const { id, name, project_id: scope } = key;
  const details = { name, forced: force };
  const audit = await auditRow(
    { action: "key.delete", principal: person, ...scopeOf(key), keyId: id, details },
    clock(),
  );
  try {
    const [, broken, shares] = await db.batch([
      mustBeThere(db, scope, id, revision),
      references(db, id),
      selectShares(db, id),
      ...(force ? [] : [mustBeUnreferenced(db, id)]),
      deleteKey(db, scope, id),
      insertAudit(db, audit),
    ]);
    return { id, unshared: sharesIn(shares), broken_jobs: referringJobs(broken) };
  } catch (error) {
    if (!isGuardFailure(error)) throw error;
    const fresh = await findKey(db, scope, id);
    if (fresh === null) throw notFound();
    throw revision !== null && revision !== fresh.revision ? changedSince() : await inUse(db, id);
  }
}

/** How a deletion is asked for: whatever refers to the key (`force`), and of which revision alone (null: of any). */
export interface KeyRemoval {
  readonly force: boolean;
  readonly revision: number | null;
}

const namedMax = 20;

async function inUse(db: D1Database, keyId: string): Promise<Fault> {
  const [jobs, shares] = await db.batch([references(db, keyId), selectShares(db, keyId)]);
  const named = [
    listedAs("it is shared with", sharesIn(shares), (share) => share.project_name),
    listedAs("unfinished jobs name it:", referringJobs(jobs), (job) => `${job.name} (${job.id})`),
  ].filter((part) => part !== null);
  // What referred to it may have ended since.
  const what = named.length === 0 ? "try again" : named.join("; ");
  return new Fault("conflict", `the key is in use: ${what}`);
}

function listedAs<Item>(what: string, items: readonly Item[], name: (item: Item) => string): string | null {
  if (items.length === 0) return null;
  const more = items.length > namedMax ? `, and ${items.length - namedMax} more` : "";
  return `${what} ${items.slice(0, namedMax).map(name).join(", ")}${more}`;
}

function changedSince(): Fault {
  return new Fault("precondition_failed", "the key has changed since you read it: read it again");
}

function crossed(): Fault {
  return new Fault("conflict", "the key was changed at the same time: try again");
}
