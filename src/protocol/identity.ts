/** The identity token's claims, its discovery document and its keys (OpenID Connect Discovery 1.0, RFC 7517). */
import * as z from "zod";

const text = z.string();
const seconds = z.int();

/**
 * Every claim of every identity token, always present, "" when unset; yes and no are the strings "true" and
 * "false", since Vault's globs take strings only. The first sixteen are Semaphore CI's.
 */
export const IdentityClaims = z.object({
  iss: text,
  aud: text,
  sub: text,
  exp: seconds,
  iat: seconds,
  nbf: seconds,
  jti: text,
  branch: text,
  pr: text,
  ref: text,
  tag: text,
  repo: text,
  prj_id: text,
  wf_id: text,
  ppl_id: text,
  job_id: text,
  org: text,
  org_id: text,
  prj: text,
  ref_type: text,
  ref_protected: text,
  sha: text,
  fork: text,
  pr_number: text,
  pr_branch: text,
  actor: text,
  job_type: text,
  trg: text,
  proof: text,
  environment: text,
  runner_environment: text,
  repo_slug: text,
  sub127: text,
});
export type IdentityClaims = z.infer<typeof IdentityClaims>;

export const DiscoveryDocument = z.object({
  issuer: text,
  jwks_uri: text,
  response_types_supported: z.array(text),
  subject_types_supported: z.array(text),
  id_token_signing_alg_values_supported: z.array(text),
  scopes_supported: z.array(text),
  claims_supported: z.array(text),
});

/** Exactly these members: Google takes no others when a key set is uploaded by hand (OIDC section 3.2). */
export const PublicJwk = z.strictObject({
  kty: z.literal("RSA"),
  n: text,
  e: text,
  alg: z.literal("RS256"),
  use: z.literal("sig"),
  kid: text,
});
export type PublicJwk = z.infer<typeof PublicJwk>;
export const PublicJwks = z.object({ keys: z.array(PublicJwk) });

/** One mint as the ledger keeps it: enough to sign the same token again, never the token. */
export const LedgerEntry = z.object({
  jti: text,
  kid: text,
  aud: text,
  sub: text,
  issued_at: z.string(),
  expires_at: z.string(),
  agent_id: text,
  claim_number: z.int(),
});
