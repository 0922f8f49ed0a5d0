/** How an agent comes and goes: a registration token for an access token, and the last goodbye. */
import type { RegisterRequest } from "../../protocol/agent-protocol.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { newToken, sha256, tokenDigest } from "../crypto/digests.ts";
import { type Bytes, type Random, utf8 } from "../lib/bytes.ts";
import { isGuardFailure, violatesUnique } from "../lib/d1.ts";
import { invalidField, notFound } from "../lib/fault.ts";
import { uuidv7 } from "../lib/ids.ts";
import type { EpochMs } from "../lib/time.ts";
import { findLiveRegistration, type LiveRegistration, useRegistration } from "./agent-types-store.ts";
import { dropSilentAgents, findAgent, findSilentNamesake, insertAgent, replaceAgentToken } from "./agents-store.ts";
import type { Presented } from "./certificate-gate.ts";
import { type DeparturePorts, endAgent } from "./departure.ts";

/** An agent without a job that has not synced for so long is gone, and its name free. */
const idleLostSeconds = 180;

export interface RegistrationPorts extends DeparturePorts {
  readonly random: Random;
  /** An agent that has been silent for so long gives up its name to one that registers anew. */
  readonly namesakeSilentSeconds: number;
}

export interface Registration {
  /**
   * @throws Fault `not_found` for a registration token that is unknown, expired or used up; `forbidden` without a
   *   certificate that its type requires.
   */
  register(
    credential: string,
    request: RegisterRequest,
    presented: Presented,
  ): Promise<{ name: string; token: string }>;
  /** Idempotent: an agent that has gone before is told the same. @throws Fault `not_found`, `forbidden` */
  disconnect(credential: string, presented: Presented): Promise<void>;
  dropSilent(): Promise<void>;
}

export function createRegistration(ports: RegistrationPorts): Registration {
  const { db, clock } = ports;
  const dropSilent = () => dropSilentAgents(db, clock() - idleLostSeconds * 1000, clock());
  return {
    dropSilent,
    async register(credential, request, presented) {
      if (request.job_id !== "") throw invalidField("/job_id", "agents for one given job are not served");
      const digest = await tokenDigest("reg", credential);
      const now = clock();
      const registration = digest === null ? null : await findLiveRegistration(db, digest, request.name, now);
      if (registration === null) throw notFound();
      presented.require(registration.agentTypeId);
      // One that repeats a registration whose answer was lost is its own namesake, and goes on.
      if (registration.unsyncedAgentId === null) await endSilentNamesake(ports, registration, request.name, now);
      return register(ports, registration, request, now);
    },
    async disconnect(credential, presented) {
      const digest = await tokenDigest("agt", credential);
      const agent = digest === null ? null : await findAgent(db, digest);
      if (agent === null) throw notFound();
      presented.require(agent.agentTypeId);
      const { id } = agent;
      await endAgent(ports, { id, by: { kind: "agent", id }, reason: "its agent disconnected" });
    },
  };
}

/**
 * A restarted agent finds its old self's name taken. It tries for 30 s, so a namesake that has missed its syncs for
 * half of that is its old self, and the job that one had is lost.
 */
async function endSilentNamesake(
  ports: RegistrationPorts,
  { id: registrationId, agentTypeId }: LiveRegistration,
  name: string,
  now: EpochMs,
) {
  const silentSince = now - ports.namesakeSilentSeconds * 1000;
  const id = await findSilentNamesake(ports.db, agentTypeId, name, silentSince);
  if (id === null) return;
  // The newcomer's word, not the old one's.
  await endAgent(ports, { id, by: { kind: "system", id: registrationId }, reason: "its agent was started anew" });
}

async function register(
  { db, random }: RegistrationPorts,
  registration: LiveRegistration,
  request: RegisterRequest,
  now: EpochMs,
): Promise<{ name: string; token: string }> {
  const token = newToken("agt", random);
  const tokenDigestBytes = await sha256(utf8(token));
  const id = registration.unsyncedAgentId ?? uuidv7(now, random);
  const details = { name: request.name, registration_token_id: registration.id };
  const audit = await auditRow({ action: "agent.register", principal: { kind: "agent", id }, details }, now);
  const { agentTypeId, id: registrationTokenId } = registration;
  const agent = { id, agentTypeId, registrationTokenId, tokenDigest: tokenDigestBytes, request, registeredAt: now };
  try {
    await db.batch([...(await writes(db, registration, agent)), insertAudit(db, audit)]);
  } catch (error) {
    if (isGuardFailure(error)) throw notFound();
    if (violatesUnique(error, "agents.name")) throw invalidField("/name", "is taken by a connected agent of this type");
    throw error;
  }
  return { name: request.name, token };
}

async function writes(
  db: D1Database,
  registration: LiveRegistration,
  agent: Parameters<typeof insertAgent>[1] & { tokenDigest: Bytes },
): Promise<D1PreparedStatement[]> {
  if (registration.unsyncedAgentId !== null) {
    return [replaceAgentToken(db, registration.unsyncedAgentId, agent.tokenDigest)];
  }
  return [...useRegistration(db, registration.id), insertAgent(db, agent)];
}
