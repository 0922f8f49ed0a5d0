/** The discovery document (OpenID Connect Discovery 1.0 section 3) and the key set (RFC 7517 section 5). Pure. */
import type * as z from "zod";
import { awsTagsClaim, type DiscoveryDocument, IdentityClaims, type PublicJwks } from "../../protocol/identity.ts";
import { activeKey, type SigningKey } from "../crypto/signing.ts";
import type { EpochSeconds } from "../lib/time.ts";

export function discoveryDocument(issuer: string): z.infer<typeof DiscoveryDocument> {
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
    scopes_supported: ["openid"],
    claims_supported: [...Object.keys(IdentityClaims.shape), awsTagsClaim],
  };
}

/** Both slots' public halves, the active key first: some relying parties look at the first alone. */
export function publicJwks(keys: readonly SigningKey[], now: EpochSeconds): z.infer<typeof PublicJwks> {
  const active = activeKey(keys, now);
  const others = keys.filter((key) => key !== active);
  return { keys: (active === null ? others : [active, ...others]).map((key) => key.publicJwk) };
}
