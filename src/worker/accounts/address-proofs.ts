/**
 * Whether the proxy in front lets an address through that a client forged: an owner asks, the Worker looks at where
 * the forged requests came from, and judges by itself (docs/decisions/0009-proof-of-addresses.md).
 */
import type { AddressProof, AddressProofJudged, AddressProofOpened } from "../../protocol/address-proofs.ts";
import type { Person } from "../../protocol/principal.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { newToken, sha256, tokenDigest } from "../crypto/digests.ts";
import { type Random, utf8 } from "../lib/bytes.ts";
import { isGuardFailure } from "../lib/d1.ts";
import { Fault, notFound, unauthenticated } from "../lib/fault.ts";
import { uuidv7 } from "../lib/ids.ts";
import { type Clock, type EpochMs, plusSeconds, toTimestamp } from "../lib/time.ts";
import {
  closeProof,
  type DigestedTrial,
  findOpenProof,
  insertProof,
  type JudgedProof,
  loadLastProof,
  markSeen,
} from "./address-proofs-store.ts";
import { judgeTrials, planTrials } from "./address-trials.ts";
import { requireMay } from "./permissions.ts";

const openSeconds = 5 * 60;
const heldSeconds = 30 * 24 * 60 * 60;
const addressCharactersMost = 64;

export interface AddressProofsPorts {
  readonly db: D1Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly trustProxy: boolean;
  readonly issuer: string;
}

/** A request as it arrived that presents a credential. */
export interface Arrival {
  readonly credential: string;
  readonly isUpgrade: boolean;
  readonly address: string | null;
}

export interface AddressProofs {
  /** @throws Fault `refused` where no proxy's word is taken, so that nothing is to be shown */
  open(person: Person): Promise<AddressProofOpened>;
  /**
   * Notes from where one of a proof's requests came. False for every other credential.
   * @throws Fault `unauthenticated` for one that is of no open proof, or was seen before
   */
  witness(arrival: Arrival): Promise<boolean>;
  /** Once, for whoever opened it. @throws Fault `not_found` */
  judge(person: Person, id: string): Promise<AddressProofJudged>;
  /** The last word on the proxy in front; null: nothing was shown yet. */
  last(): Promise<AddressProof | null>;
}

export function createAddressProofs(ports: AddressProofsPorts): AddressProofs {
  const { db, clock, issuer } = ports;
  return {
    open: (person) => open(ports, person),
    async witness({ credential, isUpgrade, address }) {
      const digest = await tokenDigest("prf", credential);
      if (digest === null) return false;
      const now = clock();
      const seen = { digest, isUpgrade, address: address?.slice(0, addressCharactersMost) ?? null };
      if (!(await markSeen(db, seen, openedSince(now), now))) throw unauthenticated();
      return true;
    },
    judge: (person, id) => judge(ports, person, id),
    async last() {
      const proof = await loadLastProof(db);
      return proof === null ? null : shown(proof, issuer, clock());
    },
  };
}

async function open(ports: AddressProofsPorts, person: Person): Promise<AddressProofOpened> {
  const { db, clock, random, trustProxy, issuer } = ports;
  requireMay(person, "networks.change", null);
  if (!trustProxy) {
    throw new Fault("refused", "TRUST_PROXY is off: the address is Cloudflare's word, and nothing is to be shown");
  }
  const now = clock();
  const proof = { id: uuidv7(now, random), tokenId: person.id, issuer, openedAt: now };
  const trials = planTrials(random).map((trial) => ({ ...trial, token: newToken("prf", random) }));
  const digested: DigestedTrial[] = await Promise.all(
    trials.map(async ({ token, ...trial }) => ({ ...trial, digest: await sha256(utf8(token)) })),
  );
  await insertProof(db, proof, digested, openedSince(now));
  return {
    id: proof.id,
    issuer,
    expires_at: toTimestamp(plusSeconds(now, openSeconds)),
    trials: trials.map(({ method, path, isUpgrade, headers, token }) => ({
      method,
      path,
      upgrade: isUpgrade,
      headers: { ...headers },
      token,
    })),
  };
}

async function judge(ports: AddressProofsPorts, person: Person, id: string): Promise<AddressProofJudged> {
  const { db, clock, issuer } = ports;
  requireMay(person, "networks.change", null);
  const now = clock();
  const found = await findOpenProof(db, id, person.id, openedSince(now));
  // Another issuer than at the start: another deployment, whose proxy may be another.
  if (found === null || found.issuer !== issuer) throw notFound();
  const { verdict, address, problems } = judgeTrials(found.trials);
  const seen = found.trials.filter(({ isSeen }) => isSeen).length;
  const details = { proof_id: id, verdict, issuer, address, asked: found.trials.length, seen };
  const audit = await auditRow({ action: "networks.prove", principal: person, details }, now);
  try {
    await db.batch([...closeProof(db, { id, verdict, at: now }), insertAudit(db, audit)]);
  } catch (error) {
    throw isGuardFailure(error) ? notFound() : error;
  }
  const holdsUntil = verdict === "proven" ? toTimestamp(plusSeconds(now, heldSeconds)) : null;
  return { verdict, address, problems: [...problems], holds_until: holdsUntil };
}

function openedSince(now: EpochMs): EpochMs {
  return plusSeconds(now, -openSeconds);
}

/** A proof holds for the issuer under which it was given, for so long as configurations are usually left alone. */
function shown(
  { token_id, issuer: under, judged_at, verdict }: JudgedProof,
  issuer: string,
  now: EpochMs,
): AddressProof {
  const end = plusSeconds(judged_at, heldSeconds);
  const isProven = verdict === "proven";
  return {
    verdict,
    at: toTimestamp(judged_at),
    by: token_id,
    issuer: under,
    holds: isProven && under === issuer && now < end,
    holds_until: isProven ? toTimestamp(end) : null,
  };
}
