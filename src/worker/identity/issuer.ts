/** The issuer: signs a job's identity token with the key that is active, and tells what the ledger must hold. */

import { awsTagsClaim } from "../../protocol/identity.ts";
import { activeKey, type SigningKey, type SigningKeys, signToken } from "../crypto/signing.ts";
import type { Random } from "../lib/bytes.ts";
import { bindingUnusable } from "../lib/fault.ts";
import { uuidv7 } from "../lib/ids.ts";
import { type Clock, type EpochSeconds, toSeconds } from "../lib/time.ts";
import { awsTags } from "./aws-tags.ts";
import { chosenClaims, type IdentityContext, identityClaims } from "./claims.ts";
import type { MintedToken } from "./ledger-store.ts";
import { defaultLifeSeconds, type GrantedToken } from "./token-decision.ts";

export interface SignedIdentity {
  readonly token: string;
  readonly sub: string;
  readonly mint: MintedToken;
}

export interface Issuer {
  /** A fresh default token: audience the issuer, life the shorter of one hour and the job's limit. */
  mint(context: IdentityContext, jobLimitSeconds: number): Promise<SignedIdentity>;
  /**
   * A token that a running job asked for.
   * @throws Fault `invalid_request` where the value of an AWS tag is none that AWS takes.
   */
  mintAsked(context: IdentityContext, granted: GrantedToken): Promise<SignedIdentity>;
  /** The token of an earlier mint, byte for byte: RS256 is deterministic. */
  again(context: IdentityContext, mint: MintedToken): Promise<SignedIdentity>;
}

export function createIssuer(ports: { signing: SigningKeys; clock: Clock; random: Random }): Issuer {
  const { signing, clock, random } = ports;
  function fresh(aud: string, lifeSeconds: number) {
    const issuedAt = toSeconds(clock());
    const key = activeKey(signing.keys, issuedAt);
    if (key === null) throw unusable(signing);
    const expiresAt = (issuedAt + lifeSeconds) as EpochSeconds;
    return { key, mint: { jti: uuidv7(clock(), random), kid: key.kid, aud, issuedAt, expiresAt } };
  }
  async function sign(key: SigningKey, context: IdentityContext, mint: MintedToken): Promise<SignedIdentity> {
    const claims = await identityClaims(context, mint);
    return { token: await signToken(key, { ...claims }), sub: claims.sub, mint };
  }
  return {
    mint(context, jobLimitSeconds) {
      const { key, mint } = fresh(context.issuer, Math.min(defaultLifeSeconds, jobLimitSeconds));
      return sign(key, context, mint);
    },
    async mintAsked(context, { audience, subject, tags, claims: chosen, lifeSeconds }) {
      const { key, mint } = fresh(audience, lifeSeconds);
      const claims = await identityClaims(context, mint, subject);
      const withTags = tags.length === 0 ? {} : { [awsTagsClaim]: awsTags(claims, tags) };
      return { token: await signToken(key, { ...chosenClaims(claims, chosen), ...withTags }), sub: claims.sub, mint };
    },
    again(context, mint) {
      const key = signing.keys.find((candidate) => candidate.kid === mint.kid);
      if (key === undefined) throw unusable(signing);
      return sign(key, context, mint);
    },
  };
}

function unusable(signing: SigningKeys) {
  const [problem] = signing.problems;
  if (problem !== undefined) return bindingUnusable(problem.binding, problem.detail);
  return bindingUnusable("SIGNING_KEY_1", "no longer holds the key that signed this token");
}
