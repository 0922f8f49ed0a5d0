/** Agent types: named queues, each a trust boundary, since whoever runs an agent there owns its jobs' secrets. */
import type {
  AgentType,
  AgentTypeCreate,
  AgentTypePatch,
  RegistrationToken,
  RegistrationTokenCreate,
} from "../../protocol/agent-types.ts";
import type { Listed, Page } from "../../protocol/list.ts";
import type { Person } from "../../protocol/principal.ts";
import { endOf, mayDo, requireMay } from "../accounts/permissions.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { createOnce } from "../crypto/create-once.ts";
import { newToken, sha256 } from "../crypto/digests.ts";
import type { Sealer } from "../crypto/sealer.ts";
import type { AgentTypeLookup } from "../jobs/start-job.ts";
import { type Random, utf8 } from "../lib/bytes.ts";
import { isGuardFailure, violatesForeignKey, violatesUnique } from "../lib/d1.ts";
import { Fault, notFound, refusedField, taken } from "../lib/fault.ts";
import { type Created, uuidv7 } from "../lib/ids.ts";
import { paged } from "../lib/paging.ts";
import { type Clock, toTimestamp, toTimestampOrNull } from "../lib/time.ts";
import { typeRefusal } from "./agent-type-policy.ts";
import {
  changedAgentType,
  findAgentType,
  findAgentTypeByName,
  findRegistrationToken,
  insertAgentType,
  insertRegistrationToken,
  listAgentTypes,
  type NewRegistrationToken,
  replaceCertificates,
} from "./agent-types-store.ts";

export interface AgentTypesPorts {
  readonly db: D1Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  /** Why no agent can present a client certificate here; null where it can. */
  readonly whyNoCertificates: string | null;
  /** Called once it is stored that certificates are required, or no longer are. */
  certificatesChanged(): void;
}

/** What takes the right in every project of a type. */
export type TypeAction = "agent_type.create" | "agent_type.change" | "registration_token.create" | "agent.disconnect";

export interface AgentTypes {
  /** @throws Fault `refused` where certificates are required that no agent can present here */
  create(person: Person, request: AgentTypeCreate): Promise<Created<AgentType>>;
  /**
   * @throws Fault `refused` as `create`; `precondition_failed` where `revision` is given and no longer the stored one.
   */
  change(person: Person, id: string, patch: AgentTypePatch, revision: number | null): Promise<AgentType>;
  list(person: Person, name: string | null, page: Page): Promise<Listed<AgentType>>;
  show(person: Person, id: string): Promise<AgentType>;
  /** @throws Fault `not_found` or `forbidden` */
  requireInAll(person: Person, action: TypeAction, agentTypeId: string): Promise<void>;
  createRegistrationToken(
    person: Person,
    agentTypeId: string,
    request: RegistrationTokenCreate,
  ): Promise<Created<RegistrationToken>>;
}

export function createAgentTypes(ports: AgentTypesPorts): AgentTypes {
  const { db } = ports;
  const show = async (person: Person, id: string) => {
    const agentType = (await findAgentType(db, id))?.value ?? null;
    if (
      agentType === null ||
      !agentType.policy.project_ids.some((project) => mayDo(person, "agent_type.read", project))
    ) {
      throw notFound();
    }
    // The other projects of a shared type are none of a project's business.
    return visibleTo(person, agentType);
  };
  return {
    show,
    create: (person, request) => create(ports, person, request),
    async change(person, id, patch, revision) {
      await requireInAll(db, person, "agent_type.change", id);
      return visibleTo(person, await change(ports, person, id, patch, revision));
    },
    list(person, name, page) {
      requireMay(person, "agent_type.read", person.projectId);
      return paged(page, async (afterId, limit) => {
        const types = await listAgentTypes(db, { projectId: person.projectId, name, afterId, limit });
        return types.map((agentType) => visibleTo(person, agentType));
      });
    },
    requireInAll: (person, action, id) => requireInAll(db, person, action, id),
    async createRegistrationToken(person, agentTypeId, request) {
      await requireInAll(db, person, "registration_token.create", agentTypeId);
      return createRegistrationToken(ports, person, agentTypeId, request);
    },
  };
}

/** The right in every project that a type serves; one who sees none of them does not see the type. */
async function requireInAll(db: D1Database, person: Person, action: TypeAction, id: string): Promise<void> {
  const projectIds = (await findAgentType(db, id))?.value.policy.project_ids ?? [];
  if (!projectIds.some((projectId) => mayDo(person, "agent_type.read", projectId))) throw notFound();
  requireEverywhere(person, action, projectIds);
}

/** What starting a job asks of agent types. */
export function agentTypeLookup(db: D1Database): AgentTypeLookup {
  return {
    async find(name) {
      const agentType = (await findAgentTypeByName(db, name))?.value;
      if (agentType === undefined) return null;
      const { id, policy } = agentType;
      return { id, name, refusal: (projectId, git) => typeRefusal(policy, projectId, git) };
    },
  };
}

function visibleTo(person: Person, agentType: AgentType): AgentType {
  if (person.projectId === null) return agentType;
  const project_ids = agentType.policy.project_ids.filter((id) => id === person.projectId);
  return { ...agentType, policy: { ...agentType.policy, project_ids } };
}

/** A type that serves several projects takes the right in each of them: whoever runs its agents sees all their jobs. */
function requireEverywhere(person: Person, action: TypeAction, projectIds: readonly string[]): void {
  if (projectIds.every((id) => mayDo(person, action, id))) return;
  throw new Fault("forbidden", "this takes the role manager in every project that the agent type serves");
}

async function create(ports: AgentTypesPorts, person: Person, request: AgentTypeCreate): Promise<Created<AgentType>> {
  const { db, sealer, clock, random } = ports;
  requireMay(person, "agent_type.create", person.projectId);
  requireEverywhere(person, "agent_type.create", request.policy.project_ids);
  const { name, policy, certificates } = request;
  refuseUnpresentable(ports, certificates);
  const now = clock();
  const id = request.id ?? uuidv7(now, random);
  const made = { created_at: toTimestamp(now), created_by: person.id };
  const agentType = { id, name, policy, certificates, revision: 1, ...made };
  const requestMac = await sealer.requestMac(request);
  const details = { agent_type_id: id, name, ...certificateDetails(certificates) };
  const audit = await auditRow({ action: "agent_type.create", principal: person, details }, now);
  return createOnce({
    value: agentType,
    createdBy: person.id,
    requestMac,
    async write() {
      await db.batch([...insertAgentType(db, agentType, requestMac, now), insertAudit(db, audit)]);
      if (certificates !== null) ports.certificatesChanged();
    },
    find: () => findAgentType(db, id),
    refusal(error) {
      if (violatesForeignKey(error)) return refusedField("/policy/project_ids", "names a project that does not exist");
      return violatesUnique(error) ? taken("/name", "is taken by another agent type") : error;
    },
  });
}

async function change(
  ports: AgentTypesPorts,
  person: Person,
  id: string,
  { certificates }: AgentTypePatch,
  revision: number | null,
): Promise<AgentType> {
  const { db, clock } = ports;
  refuseUnpresentable(ports, certificates);
  const details = { agent_type_id: id, certificates: JSON.stringify(certificates) };
  const audit = await auditRow({ action: "agent_type.change", principal: person, details }, clock());
  try {
    const update = replaceCertificates(db, id, certificates, revision);
    const changed = changedAgentType(await db.batch([insertAudit(db, audit), ...update]));
    ports.certificatesChanged();
    return changed;
  } catch (error) {
    if (!isGuardFailure(error)) throw error;
    throw new Fault("precondition_failed", "the agent type has changed since you read it: read it again");
  }
}

/** Taking them away stays possible: they may stem from before the proxy. */
function refuseUnpresentable({ whyNoCertificates: why }: AgentTypesPorts, certificates: AgentType["certificates"]) {
  if (certificates !== null && why !== null) throw refusedField("/certificates", why);
}

/** For the audit row: nothing of a type that asks for none, so that such rows read as they always did. */
function certificateDetails(certificates: AgentType["certificates"]) {
  return certificates === null ? {} : { certificates: JSON.stringify(certificates) };
}

async function createRegistrationToken(
  { db, sealer, clock, random }: AgentTypesPorts,
  person: Person,
  agentTypeId: string,
  request: RegistrationTokenCreate,
): Promise<Created<RegistrationToken>> {
  const now = clock();
  const token = newToken("reg", random);
  const stored: NewRegistrationToken = {
    id: request.id ?? uuidv7(now, random),
    agentTypeId,
    digest: await sha256(utf8(token)),
    uses: request.uses,
    expiresAt: endOf(person, now, request.expires_in_seconds),
    requestMac: await sealer.requestMac({ agentTypeId, ...request }),
    createdAt: now,
    createdBy: person.id,
  };
  const details = {
    agent_type_id: agentTypeId,
    registration_token_id: stored.id,
    uses: stored.uses,
    expires_at: toTimestampOrNull(stored.expiresAt),
  };
  const audit = await auditRow({ action: "registration_token.create", principal: person, details }, now);
  const value: RegistrationToken = {
    id: stored.id,
    agent_type_id: agentTypeId,
    uses_left: stored.uses,
    expires_at: toTimestampOrNull(stored.expiresAt),
    created_at: toTimestamp(now),
    token,
  };
  return createOnce({
    value,
    createdBy: person.id,
    requestMac: stored.requestMac,
    write: () => db.batch([insertRegistrationToken(db, stored), insertAudit(db, audit)]),
    find: () => findRegistrationToken(db, stored.id),
    refusal: (error) => error,
  });
}
