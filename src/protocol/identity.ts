/** The identity token's claims, its discovery document and its keys (OpenID Connect Discovery 1.0, RFC 7517). */
import * as z from "zod";
import { Id, Timestamp } from "./ids.ts";

const text = z.string();
const seconds = z.int();

/**
 * Every claim of an identity token, "" when unset, always present but where a running job or an identity profile chose; yes and no are the strings "true" and
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

export const ClaimName = IdentityClaims.keyof();
export type ClaimName = z.infer<typeof ClaimName>;

/**
 * Claims that no token goes without, whatever is chosen: relying parties decide by them, and some conditions hold of
 * a claim that is missing. All others may be left out.
 */
export const securityClaims: ReadonlySet<ClaimName> = new Set([
  "iss",
  "aud",
  "sub",
  "exp",
  "iat",
  "nbf",
  "jti",
  "ref",
  "ref_type",
  "ref_protected",
  "fork",
  "proof",
  "prj_id",
  "org_id",
  "job_id",
]);

/** The one claim that only some tokens have: session tags for AWS, when a job asks for them. */
export const awsTagsClaim = "https://aws.amazon.com/tags";

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
  issued_at: Timestamp,
  expires_at: Timestamp,
  agent_id: text,
  claim_number: z.int(),
});
export type LedgerEntry = z.infer<typeof LedgerEntry>;

/** The same in the ledger of a whole project. */
export const ProjectLedgerEntry = LedgerEntry.extend({ job_id: Id });
export type ProjectLedgerEntry = z.infer<typeof ProjectLedgerEntry>;

/** POST /api/v1/identity/introspect: the token itself is the credential. */
export const IntrospectionRequest = z.strictObject({ token: z.string().min(1).max(20_000) });

/** Whether a token stands, after RFC 7662. A verifier that only checks signature and time cannot know `job_ended`. */
export const Introspection = z.discriminatedUnion("active", [
  z.object({
    active: z.literal(true),
    jti: text,
    sub: text,
    aud: text,
    expires_at: Timestamp,
    job_id: Id,
  }),
  z.object({
    active: z.literal(false),
    reason: z.enum([
      "malformed",
      "unknown_key",
      "bad_signature",
      "wrong_issuer",
      "not_yet_valid",
      "expired",
      "not_in_ledger",
      "job_ended",
    ]),
  }),
]);
export type Introspection = z.infer<typeof Introspection>;
