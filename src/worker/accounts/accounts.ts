/** Accounts: the first owner, API tokens, and who a credential belongs to. Until members exist a person is a token. */
import {
  type ApiToken,
  type ApiTokenCreate,
  type ApiTokenCreated,
  type Bootstrapped,
  type OrganizationPatch,
  OrganizationSettings,
} from "../../protocol/accounts.ts";
import type { Listed, Page } from "../../protocol/list.ts";
import { type Person, roleAtLeast } from "../../protocol/principal.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { createOnce } from "../crypto/create-once.ts";
import { equalDigests, newToken, sha256, tokenDigest } from "../crypto/digests.ts";
import { type HeldKeys, sealSelfTest } from "../crypto/keyring.ts";
import type { Sealer } from "../crypto/sealer.ts";
import { firstSealingKey } from "../crypto/sealing-store.ts";
import { type Random, utf8 } from "../lib/bytes.ts";
import { violatesForeignKey, violatesUnique } from "../lib/d1.ts";
import { bindingUnusable, Fault, invalidField, notFound, unauthenticated } from "../lib/fault.ts";
import { type Created, uuidv7 } from "../lib/ids.ts";
import { paged } from "../lib/paging.ts";
import { type Clock, type EpochMs, toTimestamp, toTimestampOrNull } from "../lib/time.ts";
import {
  findLiveToken,
  findToken,
  insertBootstrap,
  insertOrganization,
  insertToken,
  listLiveTokens,
  listTokens,
  loadOrganization,
  type NewToken,
  type Organization,
  patchOrganization,
  revokeMade,
  revokeToken,
  toOrganization,
} from "./accounts-store.ts";
import { clearNetworks } from "./networks-store.ts";
import { endOf, mayDo, requireMay } from "./permissions.ts";

export interface AccountsPorts {
  readonly db: D1Database;
  readonly sealer: Sealer;
  readonly held: HeldKeys;
  readonly bootstrapToken: string | null;
  /** Ends the agents that registered with what these tokens made. */
  endAgentsOf(tokenIds: readonly string[], by: Person): Promise<void>;
  /** Called once a readmission has cleared the allowed networks. */
  networksCleared(): void;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Accounts {
  bootstrap(request: { bootstrap_token: string; organization: string; token_name: string }): Promise<Bootstrapped>;
  authenticate(credential: string): Promise<Person>;
  organization(): Promise<Organization>;
  changeOrganization(person: Person, patch: OrganizationPatch): Promise<Organization>;
  createToken(person: Person, request: ApiTokenCreate): Promise<Created<ApiTokenCreated>>;
  listTokens(person: Person, projectId: string | null, page: Page): Promise<Listed<ApiToken>>;
  /**
   * With `made`, also every token made with it, and with those, and the agents that registered through them: what
   * one does with a leaked one.
   */
  revokeToken(person: Person, id: string, made: boolean): Promise<void>;
}

export function createAccounts(ports: AccountsPorts): Accounts {
  const { db, clock } = ports;
  return {
    bootstrap: (request) => bootstrap(ports, request),
    createToken: (person, request) => createToken(ports, person, request),
    revokeToken: (person, id, made) => revoke(ports, person, id, made),
    async authenticate(credential) {
      const digest = await tokenDigest("api", credential);
      const token = digest === null ? null : await findLiveToken(db, digest, clock());
      if (token === null) throw unauthenticated();
      return toPerson(token);
    },
    async organization() {
      const organization = await loadOrganization(db);
      if (organization === null)
        throw new Fault("unavailable", "this deployment has no organization yet: bootstrap it");
      return organization;
    },
    changeOrganization: (person, patch) => changeOrganization(ports, person, patch),
    listTokens(person, projectId, page) {
      const scope = projectId ?? person.projectId;
      requireMay(person, "token.manage", scope);
      return paged(page, (afterId, limit) => listTokens(db, scope, afterId, limit));
    },
  };
}

/** Those of these principals whose tokens are neither revoked nor ended, in no order. */
export async function livePeople(db: D1Database, ids: readonly string[], now: EpochMs): Promise<Person[]> {
  return (await listLiveTokens(db, ids, now)).map(toPerson);
}

export function toPerson(token: ApiToken): Person {
  const expiresAtMs = token.expires_at === null ? null : Date.parse(token.expires_at);
  return { kind: "token", id: token.id, name: token.name, role: token.role, projectId: token.project_id, expiresAtMs };
}

/**
 * Lets the bearer of BOOTSTRAP_TOKEN in as owner, once for each value of it. The first time it also names the
 * organization and brings in the sealing key; later, with a new value, it is the way back in
 * (break-glass), also for those whom the allowed networks shut out.
 */
async function bootstrap(ports: AccountsPorts, request: Parameters<Accounts["bootstrap"]>[0]): Promise<Bootstrapped> {
  const { db, clock, random, bootstrapToken } = ports;
  if (bootstrapToken === null) throw bindingUnusable("BOOTSTRAP_TOKEN", "is not set, or too short");
  const digest = await sha256(utf8(request.bootstrap_token));
  if (!equalDigests(digest, await sha256(utf8(bootstrapToken)))) throw unauthenticated();
  const now = clock();
  const existing = await loadOrganization(db);
  if (existing !== null && existing.name !== request.organization) {
    throw new Fault("conflict", "the organization has another name, which never changes");
  }
  const settings = OrganizationSettings.parse({});
  const organization = existing ?? { id: uuidv7(now, random), name: request.organization, settings };
  const token = newToken("api", random);
  const stored: NewToken = {
    id: uuidv7(now, random),
    digest: await sha256(utf8(token)),
    name: request.token_name,
    role: "owner",
    projectId: null,
    expiresAt: null,
    requestMac: new Uint8Array(),
    createdAt: now,
    createdBy: null,
  };
  const principal = { kind: "bootstrap", id: organization.id } as const;
  const details = { token_id: stored.id, first: existing === null };
  const audit = await auditRow({ action: "organization.bootstrap", principal, details }, now);
  try {
    await db.batch([
      ...(existing === null
        ? [...(await sealingKeyStatements(ports, now)), insertOrganization(db, organization, now)]
        : await networksClearing(db, organization.id, now)),
      insertBootstrap(db, digest, stored.id, now),
      insertToken(db, stored),
      insertAudit(db, audit),
    ]);
  } catch (error) {
    if (!violatesUnique(error)) throw error;
    throw new Fault("conflict", "this BOOTSTRAP_TOKEN was used; put a new value to be let in again", { cause: error });
  }
  if (existing !== null) ports.networksCleared();
  const { id, name } = organization;
  return { organization: { id, name }, token: { ...shown(stored), token } };
}

async function networksClearing(db: D1Database, organizationId: string, now: EpochMs) {
  const principal = { kind: "bootstrap", id: organizationId } as const;
  return [clearNetworks(db), insertAudit(db, await auditRow({ action: "networks.clear", principal }, now))];
}

async function changeOrganization({ db, clock }: AccountsPorts, person: Person, patch: OrganizationPatch) {
  requireMay(person, "organization.change", null);
  const entry = {
    action: "organization.change",
    principal: person,
    details: { settings: JSON.stringify(patch) },
  } as const;
  const results = await db.batch<Record<string, unknown>>([
    insertAudit(db, await auditRow(entry, clock())),
    patchOrganization(db, patch),
  ]);
  const row = results.at(-1)?.results[0];
  if (row === undefined) throw notFound();
  return toOrganization(row);
}

async function sealingKeyStatements({ db, held, random }: AccountsPorts, now: EpochMs) {
  const [key] = held.keys;
  const [problem] = held.problems;
  if (key === undefined)
    throw bindingUnusable(problem?.binding ?? "ACCESS_KEY_ENCRYPTION", problem?.detail ?? "is not set");
  return firstSealingKey(db, key, await sealSelfTest(key, random), now);
}

async function createToken(
  ports: AccountsPorts,
  person: Person,
  request: ApiTokenCreate,
): Promise<Created<ApiTokenCreated>> {
  const { db, clock, random, sealer } = ports;
  requireMay(person, "token.manage", request.project_id);
  // A credential made with a credential gets the intersection of rights.
  if (!roleAtLeast(person.role, request.role)) throw invalidField("/role", "must not be above your own");
  const now = clock();
  const token = newToken("api", random);
  const stored: NewToken = {
    id: request.id ?? uuidv7(now, random),
    digest: await sha256(utf8(token)),
    name: request.name,
    role: request.role,
    projectId: request.project_id,
    expiresAt: endOf(person, now, request.expires_in_seconds),
    requestMac: await sealer.requestMac(request),
    createdAt: now,
    createdBy: person.id,
  };
  const audit = await auditRow(
    {
      action: "token.create",
      principal: person,
      ...(stored.projectId !== null && { projectId: stored.projectId }),
      details: { token_id: stored.id, role: stored.role, expires_at: toTimestampOrNull(stored.expiresAt) },
    },
    now,
  );
  return createOnce<ApiTokenCreated>({
    value: { ...shown(stored), token },
    createdBy: person.id,
    requestMac: stored.requestMac,
    write: () => db.batch([insertToken(db, stored), insertAudit(db, audit)]),
    // Without the token itself: that was shown once and is gone.
    find: () => findToken(db, stored.id),
    refusal: (error) => (violatesForeignKey(error) ? notFound() : error),
  });
}

async function revoke(ports: AccountsPorts, person: Person, id: string, made: boolean): Promise<void> {
  const { db, clock } = ports;
  const stored = await findToken(db, id);
  const mayManage = stored !== null && mayDo(person, "token.manage", stored.value.project_id);
  if (!mayManage && !(stored !== null && person.id === id)) throw notFound();
  const now = clock();
  const audit = await auditRow({ action: "token.revoke", principal: person, details: { token_id: id, made } }, now);
  const writes = [insertAudit(db, audit), revokeToken(db, id, now), ...(made ? [revokeMade(db, id, now)] : [])];
  const results = await db.batch<{ id: string }>(writes);
  if (!made) return;
  const revoked = results.at(-1)?.results ?? [];
  await ports.endAgentsOf([id, ...revoked.map((row) => row.id)], person);
}

function shown(token: NewToken): ApiToken {
  return {
    id: token.id,
    name: token.name,
    role: token.role,
    project_id: token.projectId,
    expires_at: toTimestampOrNull(token.expiresAt),
    created_at: toTimestamp(token.createdAt),
    created_by: token.createdBy,
    revoked_at: null,
  };
}
