/** Agent types (named queues, each a trust boundary), their registration tokens, and the agents in them. */
import * as z from "zod";
import { ClientId, Id, Timestamp } from "./ids.ts";
import { limits } from "./limits.ts";
import { List } from "./list.ts";
import { Name } from "./names.ts";
import { PolicyRefs } from "./ref-pattern.ts";

/** What an agent type takes: one project, its protected refs and no forks unless more is said. */
export const AgentTypePolicy = z.strictObject({
  project_ids: z.array(Id).min(1).max(100),
  refs: PolicyRefs,
  forks: z.boolean().default(false),
});
export type AgentTypePolicy = z.infer<typeof AgentTypePolicy>;

/** SHA-256 over a certificate's DER form. One spelling of each: what is compared and shown is what was given. */
export const CertificateFingerprint = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be a SHA-256 fingerprint: 64 digits of lower-case hex, without colons");

/** The client certificates of which every request of the type's agents must present one; null: none is asked for. */
const RequiredCertificates = z.array(CertificateFingerprint).min(1).max(limits.agentCertificates).nullable();

export const AgentTypeCreate = z.strictObject({
  id: ClientId,
  name: Name,
  policy: AgentTypePolicy,
  certificates: RequiredCertificates.default(null),
});
export type AgentTypeCreate = z.infer<typeof AgentTypeCreate>;

export const AgentType = z.object({
  id: Id,
  name: Name,
  policy: AgentTypePolicy,
  certificates: RequiredCertificates,
  revision: z.int(),
  created_at: Timestamp,
  created_by: Id,
});
export type AgentType = z.infer<typeof AgentType>;
export const AgentTypeList = List(AgentType);

export const AgentTypePatch = z.strictObject({ certificates: RequiredCertificates });
export type AgentTypePatch = z.infer<typeof AgentTypePatch>;

export const RegistrationTokenCreate = z.strictObject({
  id: ClientId,
  /** How many agents may register with it; null: any number. */
  uses: z.int().min(1).max(1000).nullable().default(1),
  /** Null: never. */
  expires_in_seconds: z
    .int()
    .min(60)
    .max(366 * 24 * 3600)
    .nullable()
    .default(3600),
});
export type RegistrationTokenCreate = z.infer<typeof RegistrationTokenCreate>;

export const RegistrationToken = z.object({
  id: Id,
  agent_type_id: Id,
  uses_left: z.int().nullable(),
  expires_at: Timestamp.nullable(),
  created_at: Timestamp,
  /** Shown once. */
  token: z.string().optional(),
});
export type RegistrationToken = z.infer<typeof RegistrationToken>;

export const Agent = z.object({
  id: Id,
  agent_type_id: Id,
  name: z.string(),
  version: z.string(),
  os: z.string(),
  arch: z.string(),
  hostname: z.string(),
  state: z.string(),
  registered_at: Timestamp,
  last_sync_at: Timestamp.nullable(),
  disconnected_at: Timestamp.nullable(),
});
export type Agent = z.infer<typeof Agent>;
export const AgentList = List(Agent);
