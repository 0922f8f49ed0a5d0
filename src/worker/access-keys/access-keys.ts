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
import { Fault, notFound, refusedField, taken } from "../lib/fault.ts";
import { type Created, uuidv7 } from "../lib/ids.ts";
import { paged } from "../lib/paging.ts";
import { type Clock, type EpochMs, toTimestamp } from "../lib/time.ts";
import type { Projects } from "../projects/projects.ts";
import { findKey, findMadeKey, insertKey, type KeyScope, listKeys, type NewKey } from "./access-keys-store.ts";
import { changeKey, deleteKeyOf, type KeyRemoval, nameRefusal, scopeOf } from "./key-life.ts";
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
  create(person: Person, scope: KeyScope, request: AccessKeyCreate): Promise<Created<AccessKey>>;
  /** A new Ed25519 key whose private half never leaves, but to jobs. */
  generate(person: Person, scope: KeyScope, request: AccessKeyGenerate): Promise<Created<AccessKey>>;
  /** Of a project its own keys and those that are shared with it; of the organization its own. */
  list(person: Person, scope: KeyScope, name: string | null, page: Page): Promise<Listed<AccessKey>>;
  show(person: Person, scope: KeyScope, id: string): Promise<AccessKey>;
  /** @throws Fault `precondition_failed` where `revision` is given and no longer the key's; `conflict` as `remove`. */
  change(
    person: Person,
    scope: KeyScope,
    id: string,
    patch: AccessKeyPatch,
    revision: number | null,
  ): Promise<AccessKey>;
  /**
   * @throws Fault `conflict` while the key is shared or an unfinished job names it, unless forced; and where a project
   *   only shares it. `precondition_failed` as `change`.
   */
  remove(person: Person, scope: KeyScope, id: string, how: KeyRemoval): Promise<AccessKeyDeletion>;
  /** Would the key open for such a job? */
  judge(person: Person, projectId: string, id: string, request: KeyDecisionRequest): Promise<KeyDecision>;
  /** Which jobs were handed the key; told of a deleted one as well. */
  handOvers(person: Person, scope: KeyScope, id: string, since: EpochMs, page: Page): Promise<Listed<KeyHandOver>>;
}

export function createAccessKeys(ports: AccessKeysPorts): AccessKeys {
  const { db, projects } = ports;
  const show = async (person: Person, scope: KeyScope, id: string) => {
    requireMay(person, "key.read", scope);
    const key = await findKey(db, scope, id);
    if (key === null) throw notFound();
    return key;
  };
  return {
    show,
    create: (person, scope, request) => create(ports, person, scope, request),
    generate: (person, scope, request) => generate(ports, person, scope, request),
    async list(person, scope, name, page) {
      if (scope !== null) await projects.show(person, scope);
      requireMay(person, "key.read", scope);
      return paged(page, (afterId, limit) => listKeys(db, { scope, name, afterId, limit }));
    },
    async change(person, scope, id, patch, revision) {
      requireMay(person, "key.change", scope);
      const key = await show(person, scope, id);
      requireOwn(person, "key.change", scope, key);
      return changeKey(ports, person, key, patch, revision);
    },
    async remove(person, scope, id, how) {
      requireMay(person, "key.delete", scope);
      const key = await show(person, scope, id);
      requireOwn(person, "key.delete", scope, key);
      return deleteKeyOf(ports, person, key, how);
    },
    async judge(person, projectId, id, request) {
      const [project, key] = await Promise.all([projects.show(person, projectId), show(person, projectId, id)]);
      const refType = refTypeOf(request.ref);
      if (refType === null) throw refusedField("/ref", "must begin with refs/heads/, refs/tags/ or refs/pull/N/");
      const isProtected = matchingPattern(protectedRefs(project.settings), request.ref) !== null;
      return decide(key.policy, { ...request, ref_type: refType, ref_protected: isProtected }, request.agent_type);
    },
    async handOvers(person, scope, keyId, since, page) {
      requireMay(person, "key.read", scope);
      if (!(await wasKeyOf(db, scope, keyId))) throw notFound();
      return paged(page, (afterId, limit) => listHandOvers(db, { scope, keyId, since, afterId, limit }));
    },
  };
}

/**
 * A project sees the key that it shares. To alter it takes the role where the key belongs, and to say so there: whoever
 * names a project does not mean all the others that share the key.
 */
function requireOwn(person: Person, action: "key.change" | "key.delete", scope: KeyScope, key: AccessKey): void {
  requireMay(person, action, key.project_id);
  if (key.project_id === scope) return;
  throw new Fault(
    "conflict",
    "the key is the organization's: alter it at /api/v1/keys for all projects, or unshare it",
  );
}

/** The private half is made, sealed and forgotten here: nobody but a job ever gets it. */
async function generate(ports: AccessKeysPorts, person: Person, scope: KeyScope, request: AccessKeyGenerate) {
  requireMay(person, "key.create", scope);
  const { login, ...rest } = request;
  const private_key = await ed25519PrivateKey(ports.random(32), request.name);
  const secret = { type: "ssh", login, private_key, passphrase: "" } as const;
  return create(ports, person, scope, { ...rest, secret }, { generate: request });
}

async function create(
  ports: AccessKeysPorts,
  person: Person,
  scope: KeyScope,
  request: AccessKeyCreate,
  /** What a retry is known by: a key that was generated is another each time. */
  asked: unknown = request,
): Promise<Created<AccessKey>> {
  const { db, sealer, clock, random, projects } = ports;
  if (scope !== null) await projects.show(person, scope);
  requireMay(person, "key.create", scope);
  const now = clock();
  const key = await newKey(request, scope, person.id, now, random);
  const stored: NewKey = {
    key,
    sealed: await sealSecret(sealer, key, request.secret),
    secretBytes: secretBytes(request.secret),
    requestMac: await sealer.requestMac(asked),
    createdAt: now,
  };
  const details = { name: key.name, type: key.type };
  const audit = await auditRow(
    { action: "key.create", principal: person, ...scopeOf(key), keyId: key.id, details },
    now,
  );
  return createOnce({
    value: key,
    createdBy: person.id,
    requestMac: stored.requestMac,
    write: () => sealer.write(() => db.batch([insertKey(db, stored), insertAudit(db, audit)])),
    find: () => findMadeKey(db, scope, key.id),
    refusal(error) {
      if (violatesUnique(error, "access_keys.id")) return taken("/id", "is in use");
      return nameRefusal(error, key) ?? error;
    },
  });
}

/** As it is shown: without its secret. */
async function newKey(
  request: AccessKeyCreate,
  scope: KeyScope,
  createdBy: string,
  now: EpochMs,
  random: Random,
): Promise<AccessKey> {
  return {
    id: request.id ?? uuidv7(now, random),
    project_id: scope,
    name: request.name,
    type: request.secret.type,
    policy: request.policy,
    ...(await describeSecret(request.secret)),
    revision: 1,
    secret_version: 1,
    created_at: toTimestamp(now),
    created_by: createdBy,
    changed_at: null,
    changed_by: null,
    last_used_at: null,
    last_used_job: null,
    seen_at: null,
    seen_by: null,
  };
}
