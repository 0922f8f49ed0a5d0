/**
 * Starting a job. Everything that can be known to be wrong is refused here, before anything is queued, naming
 * the field; nothing is written by a refusal.
 */
import { type GitContext, refTypeOf } from "../../protocol/git-context.ts";
import type { Job, JobSpec, JobStart } from "../../protocol/jobs.ts";
import { limits } from "../../protocol/limits.ts";
import type { Person } from "../../protocol/principal.ts";
import { type Project, protectedRefs } from "../../protocol/projects.ts";
import { matchingPattern } from "../../protocol/ref-pattern.ts";
import { findKeysByName, type StoredKey } from "../access-keys/access-keys-store.ts";
import { decide } from "../access-keys/key-policy.ts";
import { requireMay } from "../accounts/permissions.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { createOnce, retried } from "../crypto/create-once.ts";
import type { Sealer } from "../crypto/sealer.ts";
import { type Random, utf8Length } from "../lib/bytes.ts";
import { isGuardFailure, violatesUnique } from "../lib/d1.ts";
import { Fault, refusedField, taken } from "../lib/fault.ts";
import { type Created, uuidv7 } from "../lib/ids.ts";
import { type Clock, type EpochMs, toTimestamp } from "../lib/time.ts";
import type { Projects } from "../projects/projects.ts";
import { wasWatched } from "./feed-watch-store.ts";
import { sealSpec } from "./job-spec.ts";
import { findMadeJob, insertJob, type NewJob } from "./jobs-store.ts";
import { planDelivery } from "./key-delivery.ts";

/** Agent types, as far as starting a job needs them. */
export interface AgentTypeLookup {
  find(name: string): Promise<AdmittingAgentType | null>;
}

export interface AdmittingAgentType {
  readonly id: string;
  readonly name: string;
  /** Why the type does not take such a job, or null where it does. */
  refusal(projectId: string, git: GitContext): string | null;
}

export interface StartJobPorts {
  readonly db: D1Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly projects: Pick<Projects, "show">;
  readonly agentTypes: AgentTypeLookup;
  /** Told behind every change of a job's state that somebody may wait for. */
  changed(): void;
}

export async function startJob(
  ports: StartJobPorts,
  person: Person,
  projectId: string,
  request: JobStart,
): Promise<Created<Job>> {
  const { sealer, projects } = ports;
  const names = request.spec.keys.map((use) => use.key);
  const [project, named, found, requestMac, made] = await Promise.all([
    projects.show(person, projectId),
    ports.agentTypes.find(request.agent_type),
    findKeysByName(ports.db, projectId, names),
    sealer.requestMac(request),
    request.id === undefined ? null : findMadeJob(ports.db, projectId, request.id),
  ]);
  // A start of one's own that was answered before is not asked again whether it might start now.
  const before = made?.createdBy === person.id ? retried(made, { createdBy: person.id, requestMac }) : null;
  if (before !== null) return before;
  const git = gitContextOf(project, request);
  requireMay(person, git.ref_protected ? "job.start_protected" : "job.start", projectId);
  const agentType = admitting(named, projectId, git);
  checkSpecSize(request.spec);
  const keys = usableKeys(found, request.spec, git, agentType.name);
  const now = ports.clock();
  const job = queuedJob({ project, request, git, agentType: agentType.name, createdBy: person.id }, now, ports.random);
  const stored: NewJob = {
    job,
    agentTypeId: agentType.id,
    sealedSpec: await sealSpec(sealer, job, request.spec),
    keys: keys.map(({ key }) => key),
    requestMac,
    createdAt: now,
  };
  return insert(ports, person, stored);
}

interface JobParts {
  readonly project: Project;
  readonly request: JobStart;
  readonly git: GitContext;
  readonly agentType: string;
  readonly createdBy: string;
}

function queuedJob({ project, request, git, agentType, createdBy }: JobParts, now: EpochMs, random: Random): Job {
  return {
    id: request.id ?? uuidv7(now, random),
    project_id: project.id,
    workflow_id: uuidv7(now, random),
    pipeline_id: uuidv7(now, random),
    name: request.name,
    agent_type: agentType,
    git,
    state: "queued",
    result: null,
    reason: null,
    claim_number: 0,
    agent: null,
    time_limit_seconds: Math.min(
      request.time_limit_seconds ?? project.settings.job_time_limit_seconds,
      project.settings.job_time_limit_seconds,
    ),
    created_at: toTimestamp(now),
    created_by: createdBy,
    started_at: null,
    finished_at: null,
    stop_requested_at: null,
    log_deletion: null,
  };
}

async function insert(ports: StartJobPorts, person: Person, stored: NewJob): Promise<Created<Job>> {
  const { db, sealer } = ports;
  const { job } = stored;
  const details = { ref: job.git.ref, sha: job.git.sha, agent_type: job.agent_type };
  const audit = await auditRow(
    { action: "job.start", principal: person, projectId: job.project_id, jobId: job.id, details },
    stored.createdAt,
  );
  return createOnce({
    value: job,
    createdBy: person.id,
    requestMac: stored.requestMac,
    async write() {
      const written = await sealer.write(() => db.batch([...insertJob(db, stored), insertAudit(db, audit)]));
      if (wasWatched(...written)) ports.changed();
    },
    find: () => findMadeJob(db, job.project_id, job.id),
    refusal(error) {
      if (isGuardFailure(error)) return refusedField("/spec/keys", "a key has been deleted meanwhile");
      return violatesUnique(error, "jobs.id") ? taken("/id", "is in use") : error;
    },
  });
}

/** The git context that a caller's word gives: ref and commit, everything else derived (DESIGN section 8). */
function gitContextOf(project: Project, { ref, sha }: JobStart): GitContext {
  const refType = refTypeOf(ref);
  if (refType === null) throw refusedField("/ref", "must begin with refs/heads/ or refs/tags/");
  if (refType === "pr") {
    throw refusedField("/ref", "a pull request's ref takes a verified event of the git host, not a caller's word");
  }
  return {
    ref,
    ref_type: refType,
    sha,
    ref_protected: matchingPattern(protectedRefs(project.settings), ref) !== null,
    fork: false,
    pull_request: null,
    trg: "api",
    proof: "api",
  };
}

function admitting(agentType: AdmittingAgentType | null, projectId: string, git: GitContext): AdmittingAgentType {
  // A type that does not take the project's jobs behaves like one that does not exist.
  if (agentType === null) throw refusedField("/agent_type", "no agent type of this name takes jobs of this project");
  const refusal = agentType.refusal(projectId, git);
  if (refusal !== null) throw refusedField("/agent_type", refusal);
  return agentType;
}

function checkSpecSize(spec: JobSpec): void {
  const bytes = utf8Length(JSON.stringify(spec));
  if (bytes <= limits.jobSpecBytes) return;
  const detail = `is ${bytes} bytes as JSON, and may be ${limits.jobSpecBytes}`;
  throw new Fault("too_large", `/spec: ${detail}`, { errors: [{ pointer: "/spec", detail }] });
}

/** The keys that a spec names, each known, allowed on this ref and deliverable. */
function usableKeys(
  found: ReadonlyMap<string, StoredKey>,
  spec: JobSpec,
  git: GitContext,
  agentType: string,
): StoredKey[] {
  const placed = new Set([...spec.env.map(({ name }) => `$${name}`), ...spec.files.map(({ path }) => path)]);
  const keys = new Map<string, StoredKey>();
  // By use, not by key: one that goes to fifty places is handed over fifty times.
  let bytes = 0;
  for (const [at, use] of spec.keys.entries()) {
    const pointer = `/spec/keys/${at}`;
    const stored = found.get(use.key);
    if (stored === undefined) throw refusedField(`${pointer}/key`, "no such key in this project");
    const decision = decide(stored.key.policy, git, agentType);
    if (!decision.allowed) throw refusedField(`${pointer}/key`, decision.explanation);
    const plan = planDelivery(use, stored.key.type);
    if ("detail" in plan) throw refusedField(pointer + plan.pointer, plan.detail);
    for (const place of [...plan.env.map(({ name }) => `$${name}`), ...plan.files.map(({ path }) => path)]) {
      if (placed.has(place)) throw refusedField(pointer, `${place} is given twice`);
      placed.add(place);
    }
    keys.set(stored.key.id, stored);
    bytes += stored.secretBytes;
  }
  if (bytes > limits.jobSecretBytes) throw refusedField("/spec/keys", `hold more than ${limits.jobSecretBytes} bytes`);
  return [...keys.values()];
}
