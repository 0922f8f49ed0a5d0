/** The vault: access keys are sealed as they come in, and unsealed only for a job (agents/hand-over.ts). */
import { type AccessKey, type AccessKeyCreate, Secret } from "../../protocol/access-keys.ts";
import type { Listed, Page } from "../../protocol/list.ts";
import type { Person } from "../../protocol/principal.ts";
import { requireMay } from "../accounts/permissions.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { createOnce } from "../crypto/create-once.ts";
import type { Sealer } from "../crypto/sealer.ts";
import { type SealContext, unreadable } from "../crypto/sealing.ts";
import { type Bytes, fromUtf8, type Random, utf8 } from "../lib/bytes.ts";
import { isGuardFailure, violatesUnique } from "../lib/d1.ts";
import { Fault, notFound, taken } from "../lib/fault.ts";
import { type Created, uuidv7 } from "../lib/ids.ts";
import { paged } from "../lib/paging.ts";
import { type Clock, toTimestamp } from "../lib/time.ts";
import type { Projects } from "../projects/projects.ts";
import {
  deleteKey,
  findKey,
  findMadeKey,
  insertKey,
  listKeys,
  type NewKey,
  type SealedKey,
} from "./access-keys-store.ts";

export interface AccessKeysPorts {
  readonly db: D1Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly projects: Projects;
}

export interface AccessKeys {
  create(person: Person, projectId: string, request: AccessKeyCreate): Promise<Created<AccessKey>>;
  list(person: Person, projectId: string, name: string | null, page: Page): Promise<Listed<AccessKey>>;
  show(person: Person, projectId: string, id: string): Promise<AccessKey>;
  /** @throws Fault `conflict` while an unfinished job names the key. */
  remove(person: Person, projectId: string, id: string): Promise<void>;
}

export function createAccessKeys(ports: AccessKeysPorts): AccessKeys {
  const { db, clock, projects } = ports;
  const show = async (person: Person, projectId: string, id: string) => {
    requireMay(person, "key.read", projectId);
    const key = await findKey(db, projectId, id);
    if (key === null) throw notFound();
    return key;
  };
  return {
    show,
    create: (person, projectId, request) => create(ports, person, projectId, request),
    async list(person, projectId, name, page) {
      await projects.show(person, projectId);
      requireMay(person, "key.read", projectId);
      return paged(page, (afterId, limit) => listKeys(db, { projectId, name, afterId, limit }));
    },
    async remove(person, projectId, id) {
      const key = await show(person, projectId, id);
      requireMay(person, "key.delete", projectId);
      const details = { name: key.name };
      const audit = await auditRow({ action: "key.delete", principal: person, projectId, keyId: id, details }, clock());
      try {
        await db.batch([...deleteKey(db, projectId, id), insertAudit(db, audit)]);
      } catch (error) {
        if (isGuardFailure(error)) throw new Fault("conflict", "an unfinished job names this key");
        throw error;
      }
    },
  };
}

/** The secret of a stored key. @throws Fault `sealed_unreadable` where the record is not the row's own. */
export async function openKey(sealer: Sealer, { key, sealed }: SealedKey): Promise<Secret> {
  if (key.type === "none") return { type: "none" };
  if (sealed === null) throw unreadable();
  const secret = Secret.parse(JSON.parse(fromUtf8(await sealer.open(sealed, contextOf(key)))));
  // The type is bound by the associated data; this binds what is inside to it as well.
  if (secret.type !== key.type) throw unreadable();
  return secret;
}

/** Bytes of everything in a secret that is handed over. */
export function secretBytes(secret: Secret): number {
  const { type: _, ...parts } = secret;
  return Object.values(parts).reduce((total, part) => total + utf8(part).length, 0);
}

async function create(
  ports: AccessKeysPorts,
  person: Person,
  projectId: string,
  request: AccessKeyCreate,
): Promise<Created<AccessKey>> {
  const { db, sealer, clock, random, projects } = ports;
  await projects.show(person, projectId);
  requireMay(person, "key.create", projectId);
  const now = clock();
  const key: AccessKey = {
    id: request.id ?? uuidv7(now, random),
    project_id: projectId,
    name: request.name,
    type: request.secret.type,
    policy: request.policy,
    revision: 1,
    secret_version: 1,
    created_at: toTimestamp(now),
    created_by: person.id,
    last_used_at: null,
    last_used_job: null,
  };
  const stored: NewKey = {
    key,
    sealed: await sealSecret(sealer, key, request.secret),
    secretBytes: secretBytes(request.secret),
    requestMac: await sealer.requestMac(request),
    createdAt: now,
  };
  const details = { name: key.name, type: key.type };
  const audit = await auditRow({ action: "key.create", principal: person, projectId, keyId: key.id, details }, now);
  return createOnce({
    value: key,
    createdBy: person.id,
    requestMac: stored.requestMac,
    write: () => sealer.write(() => db.batch([insertKey(db, stored), insertAudit(db, audit)])),
    find: () => findMadeKey(db, projectId, key.id),
    refusal(error) {
      if (violatesUnique(error, "access_keys.id")) return taken("/id", "is in use");
      return violatesUnique(error) ? taken("/name", "is taken by another key of this project") : error;
    },
  });
}

async function sealSecret(sealer: Sealer, key: AccessKey, secret: Secret): Promise<Bytes | null> {
  if (secret.type === "none") return null;
  return sealer.seal(utf8(JSON.stringify(secret)), contextOf(key));
}

function contextOf(key: AccessKey): SealContext {
  return {
    purpose: "access_key",
    projectId: key.project_id,
    recordId: key.id,
    secretVersion: key.secret_version,
    type: key.type,
  };
}
