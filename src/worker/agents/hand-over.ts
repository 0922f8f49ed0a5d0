/**
 * Hand-over: the moment when secrets leave. Policies are asked again, the audit rows and the ledger row stand
 * first, keys are opened, the log's masks are armed, and only then is the agent answered (DESIGN section 8).
 */
import type { JobRequest } from "../../protocol/agent-protocol.ts";
import type { JobSpec, KeyUse } from "../../protocol/jobs.ts";
import { limits } from "../../protocol/limits.ts";
import type { Project } from "../../protocol/projects.ts";
import { findKeysOfJob, type SealedKey } from "../access-keys/access-keys-store.ts";
import { decide } from "../access-keys/key-policy.ts";
import { openKey, wholeKey } from "../access-keys/key-secret.ts";
import type { Organization } from "../accounts/accounts-store.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { tokenDigest } from "../crypto/digests.ts";
import { signMacToken } from "../crypto/mac-token.ts";
import type { Sealer } from "../crypto/sealer.ts";
import { contextOfJob } from "../identity/claims.ts";
import type { Issuer, SignedIdentity } from "../identity/issuer.ts";
import { findDefaultMint, type MintedToken } from "../identity/ledger-store.ts";
import { withheld } from "../identity/token-decision.ts";
import { openSpec } from "../jobs/job-spec.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { findSealedSpec, type StoredJob } from "../jobs/jobs-store.ts";
import { planDelivery } from "../jobs/key-delivery.ts";
import { Fault, notFound } from "../lib/fault.ts";
import { type Clock, type EpochMs, plusSeconds, toSeconds } from "../lib/time.ts";
import type { Arming } from "../logs/log-room.ts";
import { encodeMasks, masksContext, needleBytes, unmaskable } from "../logs/needles.ts";
import type { Projects } from "../projects/projects.ts";
import { typeRefusal } from "./agent-type-policy.ts";
import { findAgentType } from "./agent-types-store.ts";
import { findAgentWithJob } from "./agents-store.ts";
import type { Presented } from "./certificate-gate.ts";
import { recordHandOver } from "./hand-over-store.ts";
import { jobEnvironment } from "./job-environment.ts";
import { buildEmptyRequest, buildJobRequest, type OpenedKey, secretValues } from "./job-request.ts";

/** A job's own tokens outlive its time limit by this much: the last of the log may come late. */
const macTokenGraceSeconds = 900;

export interface HandOverPorts {
  readonly db: D1Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly issuer: Issuer;
  readonly issuerUrl: string;
  readonly agentLostSeconds: number;
  organization(): Promise<Organization>;
  readonly projects: Pick<Projects, "find">;
  readonly jobs: Pick<Jobs, "finish">;
  readonly log: {
    /** Readies the job's room. @throws where it cannot be: then nothing is handed over. */
    arm(arming: Arming): Promise<void>;
    notice(jobId: string, text: string): Promise<void>;
  };
}

export interface HandOver {
  /**
   * @throws Fault `not_found` unless the job is this agent's, and not yet running; `forbidden` without a certificate
   *   that its type requires. Idempotent.
   */
  fetch(credential: string, jobId: string, presented: Presented): Promise<JobRequest>;
  /** A fresh log token for the agent's job. @throws Fault `refused` where it has none; `forbidden` as `fetch`. */
  refresh(credential: string, presented: Presented): Promise<{ token: string }>;
}

export function createHandOver(ports: HandOverPorts): HandOver {
  const agentAndJob = async (credential: string, presented: Presented) => {
    const digest = await tokenDigest("agt", credential);
    const found = digest === null ? null : await findAgentWithJob(ports.db, digest);
    if (found === null) throw notFound();
    presented.require(found.agent.agentTypeId);
    return found;
  };
  return {
    async fetch(credential, jobId, presented) {
      const { agent, job } = await agentAndJob(credential, presented);
      if (job === null || job.job.id !== jobId || job.fetchClosed) throw notFound();
      return job.job.state === "stopping" ? handOverNothing(ports, agent.id, job) : handOver(ports, agent.id, job);
    },
    async refresh(credential, presented) {
      const { agent, job } = await agentAndJob(credential, presented);
      if (job === null) throw new Fault("refused", "no job is assigned to this agent");
      return { token: await logToken(ports, agent.id, job) };
    },
  };
}

/** Everything of a job that its hand-over needs. */
interface Prepared {
  readonly project: Project;
  readonly organization: Organization;
  readonly spec: JobSpec;
  readonly keys: readonly { readonly use: KeyUse; readonly sealed: SealedKey }[];
  /** What this claim's token was minted with, when the agent fetched before. */
  readonly earlierMint: MintedToken | null;
}

async function handOver(ports: HandOverPorts, agentId: string, stored: StoredJob): Promise<JobRequest> {
  const { job } = stored;
  const prepared = await prepare(ports, agentId, stored);
  if (typeof prepared === "string") return refuse(ports, stored, prepared);
  const identity = await identityOf(ports, stored, prepared);
  await recordHandOver(ports, {
    agentId,
    job,
    keys: prepared.keys.map(({ sealed }) => sealed.key),
    identity,
    maskKeyId: (await ports.sealer.current()).id,
  });
  const keys = await openKeys(ports, agentId, stored, prepared);
  if (typeof keys === "string") return refuse(ports, stored, keys);
  const logger = { url: `${ports.issuerUrl}/api/v1/logs/${job.id}`, token: await logToken(ports, agentId, stored) };
  const tokens: [string, string][] = [["log token", logger.token]];
  const request = identity === null ? null : await tokenRequestOf(ports, agentId, stored);
  if (identity !== null) tokens.push(["SEMAPHORE_OIDC_TOKEN", identity.token]);
  if (request !== null) tokens.push(["SEMAPHORE_OIDC_REQUEST_TOKEN", request.token]);
  const secrets = secretValues(prepared.spec, keys, tokens);
  if (needleBytes(secrets) > limits.jobNeedleBytes) return refuse(ports, stored, "its secrets are too large to mask");
  await armLog(ports, stored, secrets);
  const reason = withheld(job.git, prepared.project.settings, prepared.spec.identity);
  if (reason !== null) await ports.log.notice(job.id, `No identity token: ${reason}.`);
  const environment = jobEnvironment({
    issuer: ports.issuerUrl,
    organizationId: prepared.organization.id,
    project: prepared.project,
    job,
    identityToken: identity?.token ?? null,
    tokenRequest: request,
  });
  return buildJobRequest({ jobId: job.id, jobName: job.name, spec: prepared.spec, keys, environment, logger });
}

/** What is handed over, or in words why nothing is. Every policy is asked again: it may have changed since. */
async function prepare(ports: HandOverPorts, agentId: string, claimed: StoredJob): Promise<Prepared | string> {
  const { db, sealer } = ports;
  const { job, agentTypeId } = claimed;
  const [project, organization, sealedSpec, agentType, found, earlierMint] = await Promise.all([
    ports.projects.find(job.project_id),
    ports.organization(),
    findSealedSpec(db, job.id),
    findAgentType(db, agentTypeId),
    findKeysOfJob(db, job.project_id, job.id),
    findDefaultMint(db, job.id, job.claim_number),
  ]);
  if (project === null || sealedSpec === null || agentType === null) throw notFound();
  const refusal = typeRefusal(agentType.value.policy, job.project_id, job.git);
  if (refusal !== null) return `agent type ${job.agent_type}: ${refusal}`;
  const spec = await opened(ports, agentId, claimed, "its specification", () => openSpec(sealer, job, sealedSpec));
  if (typeof spec === "string") return spec;
  const keys: Prepared["keys"][number][] = [];
  for (const use of spec.keys) {
    const what = `access key ${use.key}`;
    const stored = found.get(use.key);
    if (stored === undefined) return `${what}: no such key in this project`;
    // First: what was made a key of type none would else be refused as one, and nobody hear of the altered row.
    const sealed = await opened(ports, agentId, claimed, what, async () => wholeKey(stored));
    if (typeof sealed === "string") return sealed;
    const reason = keyRefusal(use, sealed, claimed);
    if (reason !== null) return `${what}: ${reason}`;
    keys.push({ use, sealed });
  }
  return { project, organization, spec, keys, earlierMint };
}

/** Why a key is not handed to this job, or null. */
function keyRefusal(use: KeyUse, { key }: SealedKey, { job }: StoredJob): string | null {
  const decision = decide(key.policy, job.git, job.agent_type);
  if (!decision.allowed) return decision.explanation;
  const plan = planDelivery(use, key.type);
  return "detail" in plan ? plan.detail : null;
}

/** The job ends before it starts, its log says why, and the agent finds nothing to fetch. */
async function refuse({ jobs }: HandOverPorts, { job }: StoredJob, reason: string): Promise<never> {
  await jobs.finish({ id: job.id, result: "failed", reason, claimNumber: job.claim_number });
  throw notFound();
}

/** The job's keys, opened; or in words which does not open. */
async function openKeys(ports: HandOverPorts, agentId: string, stored: StoredJob, { keys }: Prepared) {
  const all: OpenedKey[] = [];
  for (const { use, sealed } of keys) {
    const what = `access key ${use.key}`;
    const secret = await opened(ports, agentId, stored, what, () => openKey(ports.sealer, sealed));
    if (typeof secret === "string") return secret;
    all.push({ use, secret });
  }
  return all;
}

/**
 * What opens; or in words what did not, which the audit record then tells: somebody altered or moved it. That does
 * not pass, so the job must not wait for it.
 */
async function opened<Value extends object>(
  { db, clock }: HandOverPorts,
  agentId: string,
  { job }: StoredJob,
  what: string,
  open: () => Promise<Value>,
): Promise<Value | string> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "sealed_unreadable") throw error;
    const principal = { kind: "agent", id: agentId } as const;
    const entry = { action: "sealed.unreadable", principal, projectId: job.project_id, jobId: job.id } as const;
    await insertAudit(db, await auditRow({ ...entry, details: { what } }, clock())).run();
    return `${what}: ${error.detail}`;
  }
}

/** The claim's identity token: the same one when the agent fetches again, none where it is withheld. */
async function identityOf(
  { issuer, issuerUrl }: HandOverPorts,
  { job }: StoredJob,
  { project, organization, spec, earlierMint }: Prepared,
): Promise<SignedIdentity | null> {
  if (withheld(job.git, project.settings, spec.identity) !== null) return null;
  const context = contextOfJob(issuerUrl, organization, project, job);
  return earlierMint === null ? issuer.mint(context, job.time_limit_seconds) : issuer.again(context, earlierMint);
}

async function armLog(ports: HandOverPorts, stored: StoredJob, secrets: { name: string; value: string }[]) {
  const { job } = stored;
  const context = masksContext(job.project_id, job.id, job.claim_number);
  const sealedMasks = await ports.sealer.seal(encodeMasks(secrets), context);
  const { id: jobId, project_id: projectId, claim_number: claimNumber } = job;
  await ports.log.arm({ jobId, projectId, claimNumber, sealedMasks, alarmAt: nextLook(ports, stored) });
  const tooShort = unmaskable(secrets);
  if (tooShort.length > 0) await ports.log.notice(job.id, `Too short to be masked: ${tooShort.join(", ")}.`);
}

/** The earliest moment at which one of the job's deadlines can pass. */
function nextLook({ clock, agentLostSeconds }: HandOverPorts, { job, claimedAt }: StoredJob): EpochMs {
  const now = clock();
  const limitAt = plusSeconds(claimedAt ?? now, job.time_limit_seconds);
  return Math.min(limitAt, plusSeconds(now, agentLostSeconds)) as EpochMs;
}

/** The job is being stopped: its agent must be answered, or it would ask for half a minute, but gets nothing. */
async function handOverNothing(ports: HandOverPorts, agentId: string, stored: StoredJob): Promise<JobRequest> {
  const { job } = stored;
  // Secrets that were handed over before, in an answer that may have been lost, must stay masked.
  if (!stored.handedOver) await armLog(ports, stored, []);
  const logger = { url: `${ports.issuerUrl}/api/v1/logs/${job.id}`, token: await logToken(ports, agentId, stored) };
  return buildEmptyRequest({ jobId: job.id, jobName: job.name, logger });
}

/** Where the job asks for more tokens, and with what. The URL ends in a query, so that `&audience=` can be appended. */
async function tokenRequestOf(ports: HandOverPorts, agentId: string, stored: StoredJob) {
  const url = `${ports.issuerUrl}/api/v1/jobs/${stored.job.id}/identity/token?v=1`;
  const claims = { ...macClaims(ports, agentId, stored), kind: "identity_request" } as const;
  return { url, token: await signMacToken(await ports.sealer.current(), claims) };
}

async function logToken(ports: HandOverPorts, agentId: string, stored: StoredJob): Promise<string> {
  const claims = { ...macClaims(ports, agentId, stored), kind: "log", agentTypeId: stored.agentTypeId } as const;
  return signMacToken(await ports.sealer.current(), claims);
}

function macClaims({ clock }: HandOverPorts, agentId: string, { job, claimedAt }: StoredJob) {
  const endsAt = plusSeconds(claimedAt ?? clock(), job.time_limit_seconds + macTokenGraceSeconds);
  return { jobId: job.id, agentId, claimNumber: job.claim_number, expiresAt: toSeconds(endsAt) };
}
