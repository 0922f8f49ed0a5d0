/** Sharing the organization's keys with chosen projects, in which they then behave as the project's own. */
import type { KeyShare, KeyUnsharing } from "../../protocol/access-keys.ts";
import type { Listed, Page } from "../../protocol/list.ts";
import type { Person } from "../../protocol/principal.ts";
import { requireMay } from "../accounts/permissions.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { isGuardFailure, refusedByTrigger, violatesForeignKey, violatesUnique } from "../lib/d1.ts";
import { notFound, taken } from "../lib/fault.ts";
import type { Created } from "../lib/ids.ts";
import { paged } from "../lib/paging.ts";
import { type Clock, toTimestamp } from "../lib/time.ts";
import type { Projects } from "../projects/projects.ts";
import { findKey } from "./access-keys-store.ts";
import { references, referringJobs } from "./key-references-store.ts";
import { deleteShare, findShare, insertShare, mustBeShared, selectShares, sharesIn } from "./key-shares-store.ts";

export interface KeySharingPorts {
  readonly db: D1Database;
  readonly clock: Clock;
  readonly projects: Pick<Projects, "show">;
}

export interface KeySharing {
  list(person: Person, keyId: string, page: Page): Promise<Listed<KeyShare>>;
  /** Said again, it changes nothing. @throws Fault `conflict` where the project has a key of this name. */
  share(person: Person, keyId: string, projectId: string): Promise<Created<KeyShare>>;
  /** At once, whatever refers to it: what has leaked must not wait. Tells what that breaks. */
  unshare(person: Person, keyId: string, projectId: string): Promise<KeyUnsharing>;
}

export function createKeySharing(ports: KeySharingPorts): KeySharing {
  const { db } = ports;
  return {
    async list(person, keyId, page) {
      requireMay(person, "key.read", null);
      if ((await findKey(db, null, keyId)) === null) throw notFound();
      const { items, next } = await paged(page, async (afterId, limit) => {
        const shares = sharesIn(await selectShares(db, keyId, { afterId, limit }).all());
        return shares.map((shared) => ({ id: shared.project_id, shared }));
      });
      return { items: items.map(({ shared }) => shared), next };
    },
    async share(person, keyId, projectId) {
      requireMay(person, "key.share", null);
      const project = await ports.projects.show(person, projectId);
      return share(ports, person, keyId, project);
    },
    async unshare(person, keyId, projectId) {
      requireMay(person, "key.share", null);
      return unshare(ports, person, keyId, projectId);
    },
  };
}

async function share(
  { db, clock }: KeySharingPorts,
  person: Person,
  keyId: string,
  project: { readonly id: string; readonly name: string },
): Promise<Created<KeyShare>> {
  const now = clock();
  const shared: KeyShare = {
    key_id: keyId,
    project_id: project.id,
    project_name: project.name,
    shared_at: toTimestamp(now),
    shared_by: person.id,
    last_used_at: null,
    last_used_job: null,
  };
  const audit = await auditRow({ action: "key.share", principal: person, projectId: project.id, keyId }, now);
  try {
    await db.batch([insertShare(db, shared, now), insertAudit(db, audit)]);
    return { value: shared, isNew: true };
  } catch (error) {
    if (refusedByTrigger(error, "key name taken")) throw taken("/project_id", "has a key of this name");
    if (refusedByTrigger(error, "not an organization key") || violatesForeignKey(error)) throw notFound();
    const before = violatesUnique(error) ? await findShare(db, keyId, project.id) : undefined;
    if (before === undefined) throw error;
    return { value: before, isNew: false };
  }
}

async function unshare(
  { db, clock }: KeySharingPorts,
  person: Person,
  keyId: string,
  projectId: string,
): Promise<KeyUnsharing> {
  const audit = await auditRow({ action: "key.unshare", principal: person, projectId, keyId }, clock());
  try {
    const [, broken] = await db.batch([
      mustBeShared(db, keyId, projectId),
      references(db, keyId, projectId),
      deleteShare(db, keyId, projectId),
      insertAudit(db, audit),
    ]);
    return { key_id: keyId, project_id: projectId, broken_jobs: referringJobs(broken) };
  } catch (error) {
    throw isGuardFailure(error) ? notFound() : error;
  }
}
