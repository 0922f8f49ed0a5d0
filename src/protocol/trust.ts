/** Cloud trust policies: asked for, checked and explained. What src/trust computes, and what `trust/*` routes carry. */
import * as z from "zod";
import { GitRef } from "./git-context.ts";
import { Audience, AwsTagClaim, SubjectForm } from "./identity-profiles.ts";
import { Id, Timestamp } from "./ids.ts";
import { limits } from "./limits.ts";

const text = z.string();

/** Whose policies are read. */
export const TrustCloud = z.enum(["aws", "gcp", "azure", "vault", "kubernetes"]);
export type TrustCloud = z.infer<typeof TrustCloud>;

/**
 * What is written: the clouds' policies; Snowflake's and Databricks', which match whole subjects, so that there is
 * little to explain; a verifier of one's own.
 */
export const TrustTarget = z.enum([...TrustCloud.options, "snowflake", "databricks", "verifier"]);
export type TrustTarget = z.infer<typeof TrustTarget>;

/** A policy as it was pasted. */
export const PolicyText = z
  .string()
  .min(1, "is empty")
  .refine(
    (policy) => new TextEncoder().encode(policy).length <= limits.trustPolicyBytes,
    `must be at most ${limits.trustPolicyBytes} bytes`,
  );

/** A whole ref, or all refs under a prefix: `refs/heads/release/**`. Clouds cannot say more than these two exactly. */
const trustedRefs = "must be a full ref such as refs/heads/main, or a prefix that ends in /**";
const TrustedRef = z.union(
  [
    GitRef,
    text
      .max(limits.refBytes)
      .regex(/^refs\/(heads|tags|pull)\/.*\*\*$/, trustedRefs)
      .refine((prefix) => prefix.endsWith("/**"), "must end in /**: a prefix that ends within a name fits look-alikes")
      .refine(
        (prefix) => GitRef.safeParse(`${prefix.slice(0, -2)}x`).success,
        "must be a prefix that a git ref can have",
      ),
  ],
  {
    // What ends as a prefix is meant as one, and is told what is wrong with it.
    error: ({ input, errors }) =>
      typeof input === "string" && input.endsWith("**") ? errors[1]?.[0]?.message : trustedRefs,
  },
);

/**
 * What the cloud calls things. Each has a placeholder in capitals where it is left out. They go into shell commands:
 * hence one alphabet for all, without quotes and blanks.
 */
const Placeholder = text.max(200).regex(/^[A-Za-z0-9][A-Za-z0-9@._/-]*$/, "must be letters, digits and @ . _ / -");
export const TrustNames = z.strictObject({
  /** AWS account, Google project number, Databricks service principal id. */
  account: Placeholder.optional(),
  /** AWS role, Google service account's address, Azure application id, Vault role, Snowflake user. */
  principal: Placeholder.optional(),
  /** Google workload identity pool and provider, Vault's auth mount. */
  pool: Placeholder.optional(),
  provider: Placeholder.optional(),
  /** Vault policy, Kubernetes namespace. */
  scope: Placeholder.optional(),
});
export type TrustNames = z.infer<typeof TrustNames>;

/** What a generated policy is to trust. */
export const TrustOptions = z.strictObject({
  refs: z.array(TrustedRef).min(1).max(20),
  /** The cloud's usual one where it is left out. */
  audience: Audience.optional(),
  names: TrustNames.prefault({}),
  /** AWS alone: also allow the session tags that an identity profile may set. */
  session_tags: z.boolean().default(false),
});
export type TrustOptions = z.infer<typeof TrustOptions>;

export const TrustGenerateRequest = TrustOptions.extend({ cloud: TrustTarget, project_id: Id });
export type TrustGenerateRequest = z.infer<typeof TrustGenerateRequest>;

/** A file or commands, as the cloud's own tools take them. */
export const TrustArtifact = z.object({
  name: text,
  title: text,
  language: z.enum(["json", "yaml", "sh", "hcl", "sql", "js", "py", "go"]),
  text,
});
export type TrustArtifact = z.infer<typeof TrustArtifact>;

export const GeneratedTrust = z.object({
  cloud: TrustTarget,
  audience: text,
  subject_form: SubjectForm,
  /** The policy alone, as lint and explain read it. */
  policy: text,
  artifacts: z.array(TrustArtifact),
  /** What the policy cannot say, and who must see to it. */
  notes: z.array(text),
});
export type GeneratedTrust = z.infer<typeof GeneratedTrust>;

export const TrustLintRequest = z.strictObject({ cloud: TrustCloud, policy: PolicyText });
export type TrustLintRequest = z.infer<typeof TrustLintRequest>;

export const TrustFinding = z.object({
  /** Stable name of the rule. */
  rule: text,
  /** `error`: it trusts too much, or nothing; `warning`: it is fragile. */
  severity: z.enum(["error", "warning"]),
  /** Where in the policy. */
  at: text,
  message: text,
  fix: text,
});
export type TrustFinding = z.infer<typeof TrustFinding>;
export const TrustLint = z.object({ cloud: TrustCloud, findings: z.array(TrustFinding) });
export type TrustLint = z.infer<typeof TrustLint>;

/** `unknown` is never rounded up. */
export const TrustResult = z.enum(["met", "not_met", "unknown"]);
export type TrustResult = z.infer<typeof TrustResult>;

/** One comparison: what the policy demands, what the token says, and what would fit. */
export const TrustCheck = z.object({
  at: text,
  test: text,
  expected: z.array(text),
  /** Null: the token, or what the cloud makes of it, has no such value. */
  seen: z.array(text).nullable(),
  result: TrustResult,
  hint: text.nullable(),
});
export type TrustCheck = z.infer<typeof TrustCheck>;

export const TrustVerdict = z.enum(["accepted", "refused", "unknown"]);
export type TrustVerdict = z.infer<typeof TrustVerdict>;

/** A token that a job had, as the ledger and the audit record tell of it, and what the cloud says to it. */
export const ExplainedMint = z.object({
  jti: text,
  audience: text,
  /** Null where the record of it is gone. */
  subject_form: SubjectForm.nullable(),
  sub: text,
  issued_at: Timestamp,
  expires_at: Timestamp,
  /** It was in SEMAPHORE_OIDC_TOKEN; the job asked for the others. */
  is_default: z.boolean(),
  /** Tags by name, with their values. */
  aws_session_tags: z.record(text, text),
  /** What was chosen of its claims; null: all. */
  claims: z.array(text).nullable(),
  verdict: TrustVerdict,
  because: text,
});
export type ExplainedMint = z.infer<typeof ExplainedMint>;

export const TrustExplanation = z.object({
  cloud: TrustCloud,
  verdict: TrustVerdict,
  because: text,
  parts: z.array(
    z.object({
      name: text,
      /** `all`: every one must be met; `any`: one is enough; `deny`: where it is met, the answer is no. */
      role: z.enum(["all", "any", "deny"]),
      result: TrustResult,
      checks: z.array(TrustCheck),
    }),
  ),
  /** What was taken for granted, since no policy says it. */
  assumes: z.array(text),
  /**
   * Of a job that there was, over the API: the tokens that it had, newest first, each explained; `parts` tell of
   * `mint`. Null and none: it had no such token, and the one that it would have had is explained.
   */
  mint: text.nullable().optional(),
  mints: z.array(ExplainedMint).optional(),
});
export type TrustExplanation = z.infer<typeof TrustExplanation>;

/** Claims of a pasted token, or of a job; nothing is verified here. */
export const TokenClaims = z.record(text, z.unknown());
export type TokenClaims = z.infer<typeof TokenClaims>;

/** The token: pasted, of a job that there was, or of one that there might be. */
export const TrustExplainRequest = z.strictObject({
  cloud: TrustCloud,
  policy: PolicyText,
  token: z.union(
    [
      z.strictObject({ jwt: text.min(1).max(20_000) }),
      z.strictObject({
        job_id: Id,
        audience: Audience.optional(),
        subject: SubjectForm.optional(),
        jti: text.min(1).max(64).optional(),
      }),
      z.strictObject({
        project_id: Id,
        ref: GitRef,
        audience: Audience.optional(),
        subject: SubjectForm.optional(),
        aws_session_tags: z.array(AwsTagClaim).max(50).optional(),
      }),
    ],
    "must be an object that holds jwt, or job_id, or project_id and ref",
  ),
});
export type TrustExplainRequest = z.infer<typeof TrustExplainRequest>;
