/** The composition root: Env -> Config -> stores -> use cases. The only file that knows them all. */

import { type AccessKeys, type AccessKeysPorts, createAccessKeys } from "./access-keys/access-keys.ts";
import { createKeySharing, type KeySharing } from "./access-keys/key-sharing.ts";
import { createKeySightings, type KeySightings } from "./access-keys/key-sightings.ts";
import { type Accounts, createAccounts } from "./accounts/accounts.ts";
import { type AddressProofs, type AddressProofsPorts, createAddressProofs } from "./accounts/address-proofs.ts";
import { createNetworkGate, type NetworkGate } from "./accounts/network-gate.ts";
import { createNetworkSettings, type NetworkSettings } from "./accounts/network-settings.ts";
import { createSocketTickets, type SocketTickets } from "./accounts/socket-tickets.ts";
import { loadAdmission } from "./agents/admission-store.ts";
import { createAgentAdmission } from "./agents/agent-admission.ts";
import { type AgentTypes, agentTypeLookup, createAgentTypes } from "./agents/agent-types.ts";
import { type Agents, createAgents } from "./agents/agents.ts";
import { createCertificateGate } from "./agents/certificate-gate.ts";
import { endAgentsOf } from "./agents/departure.ts";
import { createHandOver } from "./agents/hand-over.ts";
import { createRegistration } from "./agents/registration.ts";
import type { AgentProtocol } from "./agents/routes.ts";
import { createSync } from "./agents/sync.ts";
import { openHeld } from "./crypto/keyring.ts";
import { createSealer, type Sealer } from "./crypto/sealer.ts";
import { type Config, type Env, readConfig, readSettings } from "./env.ts";
import { clientAddress, clientCertificate, whyNoCertificates } from "./http/transport.ts";
import { createIssuer } from "./identity/issuer.ts";
import { createJobIdentity, type JobIdentity } from "./identity/job-identity.ts";
import { createProfiles, type Profiles } from "./identity/profiles.ts";
import { createSigningKeyRotation, type SigningKeyRotation } from "./identity/signing-keys.ts";
import { createTokenRequests, type TokenRequests, type TokenRequestsPorts } from "./identity/token-requests.ts";
import { enforceDeadlines } from "./jobs/deadlines.ts";
import type { FeedPorts } from "./jobs/feed.ts";
import { createFeed, type Feed } from "./jobs/feed-access.ts";
import { feedPageItems } from "./jobs/feed-reader.ts";
import { watchFeed } from "./jobs/feed-watch-store.ts";
import { createJobChanges, type JobChanges } from "./jobs/job-changes.ts";
import { createJobs, type Jobs } from "./jobs/jobs.ts";
import { markLogDeleted } from "./jobs/jobs-store.ts";
import { type Bytes, systemRandom } from "./lib/bytes.ts";
import { createCopy } from "./lib/copy.ts";
import { Fault, notFound } from "./lib/fault.ts";
import { systemClock } from "./lib/time.ts";
import { roomOf } from "./logs/log-access.ts";
import { encodeMasks, masksContext } from "./logs/needles.ts";
import type { LogRoomPorts } from "./logs/ports.ts";
import { whoMayWatch } from "./logs/viewing-rights.ts";
import { createProjects, type Projects } from "./projects/projects.ts";
import { retentionDaysOf } from "./projects/projects-store.ts";
import { createSealingRotation, type SealingRotation } from "./sealing/sealing-rotation.ts";
import { createTrust, type Trust } from "./trust/trust.ts";

export interface Services {
  readonly accounts: Accounts;
  readonly networks: NetworkGate;
  readonly networkSettings: NetworkSettings;
  readonly addressProofs: AddressProofs;
  readonly tickets: SocketTickets;
  readonly projects: Projects;
  readonly accessKeys: AccessKeys;
  readonly keySharing: KeySharing;
  readonly keySightings: KeySightings;
  readonly agentTypes: AgentTypes;
  readonly jobs: Jobs;
  readonly jobChanges: JobChanges;
  readonly feed: Feed;
  readonly identity: JobIdentity;
  readonly identityProfiles: Profiles;
  readonly signingKeys: SigningKeyRotation;
  readonly sealing: SealingRotation;
  readonly tokenRequests: TokenRequests;
  readonly trust: Trust;
  readonly agents: Agents;
  readonly agentProtocol: AgentProtocol;
}

/** Keeps work alive behind an answer. */
export type InBackground = (work: Promise<unknown>) => void;

export function createServices(env: Env, config: Config, issuer: URL, inBackground: InBackground): Services {
  const feed = createFeed(env.FEED, inBackground, systemClock);
  const base = { db: env.DB, clock: systemClock, random: systemRandom };
  const { settings, sealing: held } = config;
  const sealer = createSealer(env.DB, held, systemClock, systemRandom);
  const sealed = { ...base, sealer };
  const log = jobLog(env);
  const { certificates, agentTypeRules, admissionChanged, ...allowed } = createAdmission(base, config, issuer);
  const accounts = createAccounts({
    ...sealed,
    held,
    bootstrapToken: config.bootstrapToken,
    networksCleared: admissionChanged,
    endAgentsOf: (tokenIds, by) => endAgentsOf({ ...base, jobs }, tokenIds, by),
  });
  const projects = createProjects(sealed);
  const jobs = createJobs({ ...sealed, projects, agentTypes: agentTypeLookup(env.DB), log, changed: feed.wake });
  const agentTypes = createAgentTypes({ ...sealed, ...agentTypeRules });
  const sync = createSync({
    ...base,
    jobs,
    changed: feed.wake,
    alarm: log,
    nextSyncAfterMs: settings.next_sync_after_ms,
    agentLostSeconds: settings.agent_lost_seconds,
  });
  const minting = { issuer: createIssuer({ ...base, signing: config.signing }), issuerUrl: issuer.origin };
  const handOver = createHandOver({
    ...sealed,
    ...minting,
    agentLostSeconds: settings.agent_lost_seconds,
    organization: accounts.organization,
    projects,
    jobs,
    log,
  });
  const asked = { ...base, jobs, projects, issuer: issuer.origin, organization: accounts.organization };
  const identity = createJobIdentity({ ...asked, signing: config.signing });
  return {
    accounts,
    ...allowed,
    tickets: createSocketTickets(base),
    projects,
    ...createVault({ ...sealed, projects }),
    agentTypes,
    jobs,
    jobChanges: createJobChanges(base),
    feed,
    identity,
    trust: createTrust({ ...asked, identity }),
    identityProfiles: createProfiles({ ...sealed, projects }),
    signingKeys: createSigningKeyRotation({ ...base, signing: config.signing }),
    sealing: createSealingRotation({ ...sealed, held }),
    tokenRequests: createTokenRequests({ ...base, ...minting, held, mask: tokenMask(sealer, log) }),
    agents: createAgents({ ...base, jobs, agentTypes }),
    agentProtocol: {
      admit: createAgentAdmission({ ...base, networks: allowed.networks }),
      certificates,
      sync,
      handOver,
      registration: createRegistration({ ...base, jobs, namesakeSilentSeconds: namesakeSilentSeconds(settings) }),
    },
  };
}

function createVault(ports: AccessKeysPorts): Pick<Services, "accessKeys" | "keySharing" | "keySightings"> {
  return {
    accessKeys: createAccessKeys(ports),
    keySharing: createKeySharing(ports),
    keySightings: createKeySightings(ports),
  };
}

/** A requested token joins what its job's log masks. */
function tokenMask(sealer: Sealer, log: ReturnType<typeof jobLog>): TokenRequestsPorts["mask"] {
  return async (job, secret) => {
    const context = masksContext(job.project_id, job.id, job.claim_number);
    const sealedMasks = await sealer.seal(encodeMasks([{ ...secret, exact: true }]), context);
    await log.mask(job.id, { claimNumber: job.claim_number, sealedMasks });
    return (await sealer.current()).id;
  };
}

/** Until a change of who may come in holds in every isolate. */
const admissionCopySeconds = 30;

/** Who may come in at all. Networks and certificates are one copy, so that no request takes a trip for each. */
function createAdmission(
  base: Pick<AddressProofsPorts, "db" | "clock" | "random">,
  { trustProxy }: Config,
  issuer: URL,
) {
  const admission = createCopy({
    clock: base.clock,
    seconds: admissionCopySeconds,
    what: "the allowed networks and certificates",
    load: () => loadAdmission(base.db),
  });
  const rules = { issuer, trustProxy };
  const networks = createNetworkGate({
    lists: async () => (await admission.current()).networks,
    addressOf: (headers) => clientAddress(headers, trustProxy),
  });
  const certificates = createCertificateGate({
    required: async () => (await admission.current()).certificates,
    certificateOf: (request) => clientCertificate(request, rules),
  });
  const agentTypeRules = { whyNoCertificates: whyNoCertificates(rules), certificatesChanged: admission.forget };
  const addressProofs = createAddressProofs({ ...base, trustProxy, issuer: issuer.origin });
  const { last: lastProof } = addressProofs;
  const networkSettings = createNetworkSettings({ ...base, trustProxy, lastProof, changed: admission.forget });
  const admissionChanged = admission.forget;
  return { networks, networkSettings, addressProofs, certificates, agentTypeRules, admissionChanged };
}

/** What a log room needs of the house. */
export function logRoomPorts(env: Env, inBackground: InBackground): LogRoomPorts {
  const settings = readSettings(env);
  const deadlines = {
    db: env.DB,
    changed: createFeed(env.FEED, inBackground, systemClock).wake,
    agentLostSeconds: settings.agent_lost_seconds,
    queueLimitSeconds: settings.queue_limit_seconds,
  };
  return {
    clock: systemClock,
    logBytesMax: settings.log_bytes_max,
    retentionCheckSeconds: settings.log_retention_check_seconds,
    retentionDays: (jobId) => retentionDaysOf(env.DB, jobId),
    logDeleted: (jobId, deletion) => markLogDeleted(env.DB, jobId, deletion),
    openMasks: async (sealed, context) => openHeld((await readConfig(env)).sealing, sealed, context),
    whoMayWatch: (jobId, principalIds, now) => whoMayWatch(env.DB, jobId, principalIds, now),
    enforceDeadlines: (jobId, now) => enforceDeadlines(deadlines, jobId, now),
  };
}

/** What the feed's object needs of the house. */
export function feedPorts(env: Env): FeedPorts {
  const { list, readers } = createJobChanges({ db: env.DB, clock: systemClock });
  return {
    clock: systemClock,
    readers,
    changes: (person, after) => list(person, { after, limit: feedPageItems }),
    watched: (seconds) => watchFeed(env.DB, seconds),
  };
}

/** The rooms, as jobs and agents need them. */
function jobLog(env: Env) {
  const room = (jobId: string) => roomOf(env.LOG_ROOM, jobId);
  return {
    finish: (jobId: string, end: Parameters<ReturnType<typeof room>["finish"]>[0]) => room(jobId).finish(end),
    setAlarm: (jobId: string, at: Parameters<ReturnType<typeof room>["setAlarm"]>[0]) => room(jobId).setAlarm(at),
    async notice(jobId: string, text: string) {
      await room(jobId).notice(text);
    },
    async mask(jobId: string, masks: { claimNumber: number; sealedMasks: Bytes }) {
      const outcome = await room(jobId).mask(masks);
      if (outcome === "too_often") throw new Fault("too_many", "the job's log takes no more tokens");
      if (outcome !== "armed") throw new Fault("unavailable", "the job's log takes no more masks");
    },
    async arm(arming: Parameters<ReturnType<typeof room>["arm"]>[0]) {
      const outcome = await room(arming.jobId).arm(arming);
      if (outcome === "closed") throw notFound();
      if (outcome === "too_often") throw new Fault("too_many", "the job was fetched too often");
      if (outcome === "stale_claim") throw new Fault("unavailable", "another claim of the job has begun");
    },
  };
}

/** Several missed syncs, and not sooner than half of the time for which the official agent tries to register. */
function namesakeSilentSeconds({ next_sync_after_ms }: Config["settings"]): number {
  return Math.max(15, (5 * next_sync_after_ms) / 1000);
}
