/**
 * Tokens that a running job asks for. The request token is a MAC, checked before any row is read. The new token joins
 * the needles of the job's log first, then its ledger and audit rows are written, and only then is it answered.
 */
import type { TokenRequest } from "../../protocol/identity-profiles.ts";
import { limits } from "../../protocol/limits.ts";
import { auditRow } from "../audit/audit.ts";
import type { HeldKeys } from "../crypto/keyring.ts";
import { type MacTokenClaims, verifyMacToken } from "../crypto/mac-token.ts";
import type { StoredJob } from "../jobs/jobs-store.ts";
import type { Bytes } from "../lib/bytes.ts";
import { Fault, unauthenticated } from "../lib/fault.ts";
import { type Clock, plusSeconds, toSeconds } from "../lib/time.ts";
import { contextOfJob } from "./claims.ts";
import type { Issuer } from "./issuer.ts";
import { isMintRefused } from "./ledger-store.ts";
import { decideToken, type GrantedToken } from "./token-decision.ts";
import { loadTokenRequest, recordMint, type TokenRequestRows } from "./token-requests-store.ts";

export interface TokenRequestsPorts {
  readonly db: D1Database;
  readonly held: HeldKeys;
  readonly clock: Clock;
  readonly issuer: Issuer;
  readonly issuerUrl: string;
  /** Adds a secret to what the job's log masks, sealed; answers under which key. @throws where it cannot. */
  mask(job: StoredJob["job"], secret: { name: string; value: string }): Promise<Bytes>;
}

export interface TokenRequests {
  /**
   * Whose request it is, by the token alone: no row is read.
   * @throws Fault `unauthenticated` for a request token that is forged, expired or foreign.
   */
  admit(credential: string, jobId: string): Promise<MacTokenClaims>;
  /**
   * @throws Fault `unauthenticated` where the job has ended or is being stopped; `forbidden` naming the parameter that
   *   no profile allows; `invalid_request` for a life beyond what is allowed; `too_many` for the mint after the last.
   */
  request(credential: string, jobId: string, request: TokenRequest): Promise<{ value: string }>;
}

export function createTokenRequests(ports: TokenRequestsPorts): TokenRequests {
  const { held, clock } = ports;
  const admit = async (credential: string, jobId: string) => {
    const asking = await verifyMacToken(held, "identity_request", credential, toSeconds(clock()));
    if (asking === null || asking.jobId !== jobId) throw unauthenticated();
    return asking;
  };
  return {
    admit,
    async request(credential, jobId, request) {
      const asking = await admit(credential, jobId);
      const rows = await askable(ports, asking, request);
      const granted = grant(ports, request, rows);
      return mint(ports, asking, rows, request, granted);
    },
  };
}

/** The rows of a job that may ask now. */
async function askable(
  { db, issuerUrl }: TokenRequestsPorts,
  asking: MacTokenClaims,
  { audience = issuerUrl }: TokenRequest,
): Promise<TokenRequestRows> {
  const rows = await loadTokenRequest(db, asking.jobId, audience);
  if (rows === null || !runs(rows.job, asking)) throw unauthenticated();
  if (rows.mints >= limits.jobMints) throw exhausted();
  return rows;
}

/** One that is being stopped gets no more: what it would do with it is not wanted any longer. */
function runs({ job }: StoredJob, { agentId, claimNumber }: MacTokenClaims): boolean {
  return job.claim_number === claimNumber && job.agent?.id === agentId && job.state === "running";
}

function grant(
  { clock, issuerUrl }: TokenRequestsPorts,
  request: TokenRequest,
  { job: { job, claimedAt }, project: { settings }, profiles }: TokenRequestRows,
): GrantedToken {
  const now = clock();
  const endsAt = plusSeconds(claimedAt ?? now, job.time_limit_seconds);
  const asking = { git: job.git, settings, agentType: job.agent_type, secondsLeft: (endsAt - now) / 1000 };
  const decided = decideToken(request, asking, profiles, issuerUrl);
  if (!("detail" in decided)) return decided;
  const { code, pointer, detail } = decided;
  throw new Fault(code, `${pointer}: ${detail}`, { errors: [{ pointer, detail }] });
}

async function mint(
  ports: TokenRequestsPorts,
  asking: MacTokenClaims,
  { job: { job }, project, organization }: TokenRequestRows,
  request: TokenRequest,
  granted: GrantedToken,
): Promise<{ value: string }> {
  const context = contextOfJob(ports.issuerUrl, organization, project, job);
  const signed = await ports.issuer.mintAsked(context, granted);
  const maskKeyId = await ports.mask(job, { name: "identity token", value: signed.token });
  const { jti, kid, aud } = signed.mint;
  const { agentId } = asking;
  const principal = { kind: "agent", id: agentId } as const;
  const { lifeSeconds, subject, tags } = granted;
  const claims = granted.claims?.join(" ") ?? "all";
  const details = { jti, kid, aud, sub: signed.sub, life_seconds: lifeSeconds, subject, tags: tags.join(" "), claims };
  const entry = { action: "identity.mint", principal, projectId: job.project_id, jobId: job.id, details } as const;
  const row = { ...signed.mint, sub: signed.sub, jobId: job.id, claimNumber: job.claim_number, agentId };
  try {
    await recordMint(ports.db, row, maskKeyId, await auditRow(entry, ports.clock()));
  } catch (error) {
    if (!isMintRefused(error)) throw error;
    // It ended, or twins took the last mints, since the rows were read; else the sealing key is being rotated.
    await askable(ports, asking, request);
    throw new Fault("unavailable", "the sealing key is being rotated", { cause: error, retryAfterSeconds: 30 });
  }
  return { value: signed.token };
}

function exhausted(): Fault {
  return new Fault("too_many", `a job may have ${limits.jobMints} tokens, while it runs`);
}
