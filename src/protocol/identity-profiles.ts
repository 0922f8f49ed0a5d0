/** Identity profiles, and the tokens that a running job may ask for. */
import * as z from "zod";
import { ClaimName, IdentityClaims } from "./identity.ts";
import { ClientId, Id, Timestamp } from "./ids.ts";
import { List } from "./list.ts";
import { Name } from "./names.ts";
import { PolicyRefs } from "./ref-pattern.ts";

/** An audience as every cloud takes it: one string (AWS 255, Google 256, Microsoft 600 characters). */
export const Audience = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\x21-\x7e]+$/, "must be printable ASCII without blanks");

const tokenLifeSecondsMin = 300;
const tokenLifeSecondsMax = 24 * 3600;

/**
 * Forms of `sub`: Semaphore CI's; the same in 127 bytes; or `org_id:…:prj_id:…`, one per project whatever the ref,
 * for relying parties that match exactly (Microsoft Entra).
 */
export const SubjectForm = z.enum(["semaphore", "sub127", "id"]);
export type SubjectForm = z.infer<typeof SubjectForm>;

/** Claims that may become AWS session tags: those whose values a relying party can rely on. */
export const AwsTagClaim = IdentityClaims.omit({
  iss: true,
  aud: true,
  sub: true,
  exp: true,
  iat: true,
  nbf: true,
  jti: true,
}).keyof();
export type AwsTagClaim = z.infer<typeof AwsTagClaim>;

/** Claims by name, of those that may be left out; the others are always there, named or not. */
const ChosenClaims = z.array(ClaimName).max(64);

/** What a profile lets a job ask for, and which jobs. */
export const IdentityProfileRules = z.strictObject({
  audience: Audience,
  subject_forms: z.array(SubjectForm).min(1).max(3).default(["semaphore"]),
  lifetime_seconds_max: z.int().min(tokenLifeSecondsMin).max(tokenLifeSecondsMax).default(3600),
  aws_session_tags: z.array(AwsTagClaim).max(50).default([]),
  /** The claims that its tokens have at most, besides those that every token has; null: all. */
  claims: ChosenClaims.nullable().default(null),
  /** `protected`: the project's protected refs; else patterns, of which one must match. */
  refs: PolicyRefs,
  agent_types: z.array(Name).min(1).max(64).nullable().default(null),
  /** Jobs of forks may ask too, where the project lets them have tokens at all. */
  forks: z.boolean().default(false),
});
export type IdentityProfileRules = z.infer<typeof IdentityProfileRules>;

export const IdentityProfileCreate = z.strictObject({ id: ClientId, name: Name, rules: IdentityProfileRules });
export type IdentityProfileCreate = z.infer<typeof IdentityProfileCreate>;

export const IdentityProfile = z.object({
  id: Id,
  project_id: Id,
  name: Name,
  rules: IdentityProfileRules,
  revision: z.int(),
  created_at: Timestamp,
  created_by: Id,
});
export type IdentityProfile = z.infer<typeof IdentityProfile>;
export const IdentityProfileList = List(IdentityProfile);

/** What a job asks for: by query (GET, as GitHub's toolkit does) or by body (POST). */
export const TokenRequest = z.strictObject({
  /** The issuer where it is left out. */
  audience: Audience.optional(),
  lifetime_seconds: z.int().min(tokenLifeSecondsMin).max(tokenLifeSecondsMax).optional(),
  subject: SubjectForm.optional(),
  aws_session_tags: z.array(AwsTagClaim).max(50).optional(),
  /** Left out: all that the profile allows. */
  claims: ChosenClaims.optional(),
});
export type TokenRequest = z.infer<typeof TokenRequest>;

/** GitHub's shape, so that its toolkit reads it. */
export const TokenAnswer = z.object({ value: z.string() });
