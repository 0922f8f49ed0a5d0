/**
 * Tokens that a running job asks for. The request token is a MAC, checked before any row is read. The new token joins
 * the needles of the job's log first, then its ledger and audit rows are written, and only then is it answered.
 */
import type { IdentityProfile, TokenRequest } from "../../protocol/identity-profiles.ts";
import { limits } from "../../protocol/limits.ts";
import { auditRow } from "../audit/audit.ts";
import type { HeldKeys } from "../crypto/keyring.ts";
import { verifyMacToken } from "../crypto/mac-token.ts";
import type { StoredJob } from "../jobs/jobs-store.ts";
import { isGuardFailure } from "../lib/d1.ts";
import { Fault, unauthenticated } from "../lib/fault.ts";
import { type Clock, plusSeconds, toSeconds } from "../lib/time.ts";
import type { IdentityContext } from "./claims.ts";
import type { Issuer } from "./issuer.ts";
import { decideToken, type GrantedToken } from "./token-decision.ts";
import { loadTokenRequest, recordMint, type TokenRequestRows } from "./token-requests-store.ts";

export interface TokenRequestsPorts {
  readonly db: D1Database;
  readonly held: HeldKeys;
  readonly clock: Clock;
  readonly issuer: Issuer;
  readonly issuerUrl: string;
  /** Adds a secret to what the job's log masks. @throws where it cannot: then nothing is minted. */
  mask(job: StoredJob["job"], secret: { name: string; value: string }): Promise<void>;
}

/**
 * @throws Fault `unauthenticated` for a token that is forged, expired or foreign, or whose job has ended; `forbidden`
 *   naming the parameter that no profile allows; `too_many` for the mint after the last.
 */
export type RequestToken = (credential: string, jobId: string, request: TokenRequest) => Promise<{ value: string }>;

export function createTokenRequests(ports: TokenRequestsPorts): RequestToken {
  const { db, held, clock } = ports;
  return async (credential, jobId, request) => {
    const asking = await verifyMacToken(held, "identity_request", credential, toSeconds(clock()));
    if (asking === null || asking.jobId !== jobId) throw unauthenticated();
    const rows = await loadTokenRequest(db, jobId);
    if (rows === null || !runs(rows.job, asking.claimNumber)) throw unauthenticated();
    if (rows.mints >= limits.jobMints) throw exhausted();
    const granted = grant(ports, request, rows.job, rows.profiles);
    return mint(ports, asking.agentId, rows, granted);
  };
}

function runs({ job }: StoredJob, claimNumber: number): boolean {
  return job.claim_number === claimNumber && (job.state === "running" || job.state === "stopping");
}

function grant(
  { clock, issuerUrl }: TokenRequestsPorts,
  request: TokenRequest,
  { job, claimedAt }: StoredJob,
  profiles: readonly IdentityProfile[],
): GrantedToken {
  const now = clock();
  const endsAt = plusSeconds(claimedAt ?? now, job.time_limit_seconds);
  const asking = { git: job.git, agentType: job.agent_type, secondsLeft: (endsAt - now) / 1000 };
  const decided = decideToken(request, asking, profiles, issuerUrl);
  if (!("detail" in decided)) return decided;
  const { pointer, detail } = decided;
  throw new Fault("forbidden", `${pointer}: ${detail}`, { errors: [{ pointer, detail }] });
}

async function mint(
  ports: TokenRequestsPorts,
  agentId: string,
  { job: { job }, project, organization }: TokenRequestRows,
  granted: GrantedToken,
): Promise<{ value: string }> {
  const context: IdentityContext = {
    issuer: ports.issuerUrl,
    org: organization,
    project,
    repository: project.repository,
    git: job.git,
    workflowId: job.workflow_id,
    pipelineId: job.pipeline_id,
    jobId: job.id,
    actor: job.created_by,
  };
  const signed = await ports.issuer.mintAsked(context, granted);
  await ports.mask(job, { name: "identity token", value: signed.token });
  const { jti, kid, aud } = signed.mint;
  const principal = { kind: "agent", id: agentId } as const;
  const details = { jti, kid, aud, sub: signed.sub, life_seconds: granted.lifeSeconds };
  const entry = { action: "identity.mint", principal, projectId: job.project_id, jobId: job.id, details } as const;
  const row = { ...signed.mint, sub: signed.sub, jobId: job.id, claimNumber: job.claim_number, agentId };
  try {
    await recordMint(ports.db, row, await auditRow(entry, ports.clock()));
  } catch (error) {
    // It ended, or twins took the last mints, since the rows were read.
    if (isGuardFailure(error)) throw exhausted();
    throw error;
  }
  return { value: signed.token };
}

function exhausted(): Fault {
  return new Fault("too_many", `a job may have ${limits.jobMints} tokens, while it runs`);
}
