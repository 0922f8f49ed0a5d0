/** The vault: access keys are sealed as they come in, and unsealed only for a job (agents/hand-over.ts). */
import type {
  AccessKey,
  AccessKeyCreate,
  AccessKeyDeletion,
  AccessKeyGenerate,
  AccessKeyPatch,
  KeyDecision,
  KeyDecisionRequest,
  KeyHandOver,
} from "../../protocol/access-keys.ts";
import { refTypeOf } from "../../protocol/git-context.ts";
import type { Listed, Page } from "../../protocol/list.ts";
import type { Person } from "../../protocol/principal.ts";
import { protectedRefs } from "../../protocol/projects.ts";
import { matchingPattern } from "../../protocol/ref-pattern.ts";
import { requireMay } from "../accounts/permissions.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { createOnce } from "../crypto/create-once.ts";
import type { Sealer } from "../crypto/sealer.ts";
import type { Random } from "../lib/bytes.ts";
import { violatesUnique } from "../lib/d1.ts";
import { notFound, refusedField, taken } from "../lib/fault.ts";
import { type Created, uuidv7 } from "../lib/ids.ts";
import { paged } from "../lib/paging.ts";
import { type Clock, type EpochMs, toTimestamp } from "../lib/time.ts";
import type { Projects } from "../projects/projects.ts";
import { findKey, findMadeKey, insertKey, listKeys, type NewKey } from "./access-keys-store.ts";
import { changeKey, deleteKeyOf } from "./key-life.ts";
import { decide } from "./key-policy.ts";
import { listHandOvers, wasKeyOf } from "./key-references-store.ts";
import { describeSecret, sealSecret, secretBytes } from "./key-secret.ts";
import { ed25519PrivateKey } from "./private-key.ts";

export interface AccessKeysPorts {
  readonly db: D1Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly projects: Projects;
}

export interface AccessKeys {
  create(person: Person, projectId: string, request: AccessKeyCreate): Promise<Created<AccessKey>>;
  /** A new Ed25519 key whose private half never leaves, but to jobs. */
  generate(person: Person, projectId: string, request: AccessKeyGenerate): Promise<Created<AccessKey>>;
  list(person: Person, projectId: string, name: string | null, page: Page): Promise<Listed<AccessKey>>;
  show(person: Person, projectId: string, id: string): Promise<AccessKey>;
  /** @throws Fault `precondition_failed` where `revision` is given and no longer the key's. */
  change(
    person: Person,
    projectId: string,
    id: string,
    patch: AccessKeyPatch,
    revision: number | null,
  ): Promise<AccessKey>;
  /** @throws Fault `conflict` while an unfinished job names the key, unless forced. */
  remove(person: Person, projectId: string, id: string, force: boolean): Promise<AccessKeyDeletion>;
  /** Would the key open for such a job? */
  judge(person: Person, projectId: string, id: string, request: KeyDecisionRequest): Promise<KeyDecision>;
  /** Which jobs were handed the key; told of a deleted one as well. */
  handOvers(person: Person, projectId: string, id: string, since: EpochMs, page: Page): Promise<Listed<KeyHandOver>>;
}

export function createAccessKeys(ports: AccessKeysPorts): AccessKeys {
  const { db, projects } = ports;
  const show = async (person: Person, projectId: string, id: string) => {
    requireMay(person, "key.read", projectId);
    const key = await findKey(db, projectId, id);
    if (key === null) throw notFound();
    return key;
  };
  return {
    show,
    create: (person, projectId, request) => create(ports, person, projectId, request),
    generate: (person, projectId, request) => generate(ports, person, projectId, request),
    async list(person, projectId, name, page) {
      await projects.show(person, projectId);
      requireMay(person, "key.read", projectId);
      return paged(page, (afterId, limit) => listKeys(db, { projectId, name, afterId, limit }));
    },
    async change(person, projectId, id, patch, revision) {
      const key = await show(person, projectId, id);
      requireMay(person, "key.change", projectId);
      return changeKey(ports, person, key, patch, revision);
    },
    async remove(person, projectId, id, force) {
      const key = await show(person, projectId, id);
      requireMay(person, "key.delete", projectId);
      return deleteKeyOf(ports, person, key, force);
    },
    async judge(person, projectId, id, request) {
      const [project, key] = await Promise.all([projects.show(person, projectId), show(person, projectId, id)]);
      const refType = refTypeOf(request.ref);
      if (refType === null) throw refusedField("/ref", "must begin with refs/heads/, refs/tags/ or refs/pull/N/");
      const isProtected = matchingPattern(protectedRefs(project.settings), request.ref) !== null;
      return decide(key.policy, { ...request, ref_type: refType, ref_protected: isProtected }, request.agent_type);
    },
    async handOvers(person, projectId, keyId, since, page) {
      requireMay(person, "key.read", projectId);
      if (!(await wasKeyOf(db, projectId, keyId))) throw notFound();
      return paged(page, (afterId, limit) => listHandOvers(db, { projectId, keyId, since, afterId, limit }));
    },
  };
}

/** The private half is made, sealed and forgotten here: nobody but a job ever gets it. */
async function generate(ports: AccessKeysPorts, person: Person, projectId: string, request: AccessKeyGenerate) {
  requireMay(person, "key.create", projectId);
  const { login, ...rest } = request;
  const private_key = await ed25519PrivateKey(ports.random(32), request.name);
  const secret = { type: "ssh", login, private_key, passphrase: "" } as const;
  return create(ports, person, projectId, { ...rest, secret }, { generate: request });
}

async function create(
  ports: AccessKeysPorts,
  person: Person,
  projectId: string,
  request: AccessKeyCreate,
  /** What a retry is known by: a key that was generated is another each time. */
  asked: unknown = request,
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
    ...(await describeSecret(request.secret)),
    revision: 1,
    secret_version: 1,
    created_at: toTimestamp(now),
    created_by: person.id,
    changed_at: null,
    changed_by: null,
    last_used_at: null,
    last_used_job: null,
  };
  const stored: NewKey = {
    key,
    sealed: await sealSecret(sealer, key, request.secret),
    secretBytes: secretBytes(request.secret),
    requestMac: await sealer.requestMac(asked),
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
