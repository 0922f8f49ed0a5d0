/** How an agent comes and goes: a registration token for an access token, and the last goodbye. */
import type { RegisterRequest } from "../../protocol/agent-protocol.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { newToken, sha256, tokenDigest } from "../crypto/digests.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { type Bytes, type Random, utf8 } from "../lib/bytes.ts";
import { isGuardFailure, violatesUnique } from "../lib/d1.ts";
import { invalidField, notFound } from "../lib/fault.ts";
import { uuidv7 } from "../lib/ids.ts";
import type { Clock, EpochMs } from "../lib/time.ts";
import { findLiveRegistration, type LiveRegistration, useRegistration } from "./agent-types-store.ts";
import {
  disconnectAgent,
  dropSilentAgents,
  findAgentId,
  findAgentWithJob,
  findSilentNamesake,
  insertAgent,
  replaceAgentToken,
} from "./agents-store.ts";

/** An agent without a job that has not synced for so long is gone, and its name free. */
const idleLostSeconds = 180;

export interface RegistrationPorts {
  readonly db: D1Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly jobs: Pick<Jobs, "finish">;
  /** An agent that has been silent for so long gives up its name to one that registers anew. */
  readonly namesakeSilentSeconds: number;
}

export interface Registration {
  /** @throws Fault `not_found` for a registration token that is unknown, expired or used up. */
  register(credential: string, request: RegisterRequest): Promise<{ name: string; token: string }>;
  /** Idempotent: an agent that has gone before is told the same. */
  disconnect(credential: string): Promise<void>;
  dropSilent(): Promise<void>;
}

export function createRegistration(ports: RegistrationPorts): Registration {
  const { db, clock, jobs } = ports;
  const dropSilent = () => dropSilentAgents(db, clock() - idleLostSeconds * 1000, clock());
  return {
    dropSilent,
    async register(credential, request) {
      if (request.job_id !== "") throw invalidField("/job_id", "agents for one given job are not served");
      const digest = await tokenDigest("reg", credential);
      const now = clock();
      const registration = digest === null ? null : await findLiveRegistration(db, digest, request.name, now);
      if (registration === null) throw notFound();
      await endSilentNamesake(ports, registration.agentTypeId, request.name, now);
      return register(ports, registration, request, now);
    },
    async disconnect(credential) {
      const digest = await tokenDigest("agt", credential);
      const id = digest === null ? null : await findAgentId(db, digest);
      if (digest === null || id === null) throw notFound();
      const had = (await findAgentWithJob(db, digest))?.job?.job ?? null;
      await goodbye(ports, id);
      if (had === null) return;
      const reason = "its agent disconnected";
      await jobs.finish({ id: had.id, result: "failed", reason, claimNumber: had.claim_number });
    },
  };
}

/**
 * A restarted agent finds its old self's name taken. It tries for 30 s, so a namesake that has missed its syncs for
 * half of that is its old self, and the job that one had is lost.
 */
async function endSilentNamesake(ports: RegistrationPorts, agentTypeId: string, name: string, now: EpochMs) {
  const { db, jobs } = ports;
  const namesake = await findSilentNamesake(db, agentTypeId, name, now - ports.namesakeSilentSeconds * 1000);
  if (namesake === null) return;
  await goodbye(ports, namesake.id);
  if (namesake.job === null) return;
  const { id, claimNumber } = namesake.job;
  await jobs.finish({ id, result: "failed", reason: "its agent was started anew", claimNumber });
}

async function goodbye({ db, clock }: RegistrationPorts, id: string): Promise<void> {
  const audit = await auditRow({ action: "agent.disconnect", principal: { kind: "agent", id } }, clock());
  await db.batch([disconnectAgent(db, id, clock()), insertAudit(db, audit)]);
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
