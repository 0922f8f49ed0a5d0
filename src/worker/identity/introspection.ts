/** Introspection (after RFC 7662): whoever holds a token may ask whether it still stands, and why not. */
import type { Introspection } from "../../protocol/identity.ts";
import type { SigningKeys } from "../crypto/signing.ts";
import { verifyToken } from "../crypto/verify-token.ts";
import { type Clock, toSeconds } from "../lib/time.ts";
import { findMintWithJob } from "./ledger-store.ts";

export interface IntrospectionPorts {
  readonly db: D1Database;
  readonly signing: SigningKeys;
  readonly issuer: string;
  readonly clock: Clock;
}

/** The signature is checked before any row is read: a stranger's guess costs the database nothing. */
export async function introspect(ports: IntrospectionPorts, token: string): Promise<Introspection> {
  const { db, signing, issuer, clock } = ports;
  const verified = await verifyToken(signing.keys, token, { issuer, now: toSeconds(clock()) });
  if (typeof verified === "string") return { active: false, reason: verified };
  const mint = await findMintWithJob(db, verified.jti ?? "");
  // Signed with our key, yet not in the ledger: whoever made it holds the key.
  if (mint === null) return { active: false, reason: "not_in_ledger" };
  if (mint.jobFinished) return { active: false, reason: "job_ended" };
  const { jti, sub, aud, expires_at } = mint;
  return { active: true, jti, sub, aud, expires_at, job_id: mint.jobId };
}
