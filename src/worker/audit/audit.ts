/**
 * The append-only record. A row stands before the effect that it tells of, or with it in one transaction;
 * where it cannot be written, the effect does not happen (RELIABILITY P7). Details never hold a secret.
 */
import type { Principal } from "../../protocol/principal.ts";
import { sha256 } from "../crypto/digests.ts";
import { type Bytes, utf8 } from "../lib/bytes.ts";
import { canonicalJson } from "../lib/canonical-json.ts";
import type { EpochMs } from "../lib/time.ts";

export const auditActions = [
  "organization.bootstrap",
  "organization.change",
  "networks.change",
  "networks.clear",
  "networks.prove",
  "token.create",
  "token.revoke",
  "project.create",
  "project.change",
  "key.create",
  "key.change",
  "key.delete",
  "key.share",
  "key.unshare",
  "key.unseal",
  "key.seen",
  "agent_type.create",
  "agent_type.change",
  "registration_token.create",
  "agent.register",
  "agent.disconnect",
  "job.start",
  "job.stop",
  "job.fetch",
  "identity.mint",
  "identity_profile.create",
  "identity_profile.delete",
  "signing_key.compromised",
  "sealing.switch",
  "sealing.escrow",
  "sealed.unreadable",
] as const;
export type AuditAction = (typeof auditActions)[number];

/** Who did it: a principal, the bearer of BOOTSTRAP_TOKEN, or the deployment itself (for an agent that was started anew). */
export type AuditPrincipal = Pick<Principal, "id"> & { readonly kind: Principal["kind"] | "bootstrap" | "system" };

export interface AuditEntry {
  readonly action: AuditAction;
  readonly principal: AuditPrincipal;
  readonly projectId?: string;
  readonly jobId?: string;
  readonly keyId?: string;
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

export interface AuditRow {
  readonly at: EpochMs;
  readonly action: AuditAction;
  readonly principalKind: AuditPrincipal["kind"];
  readonly principalId: string;
  readonly projectId: string | null;
  readonly jobId: string | null;
  readonly keyId: string | null;
  readonly details: string;
  readonly digest: Bytes;
}

/** The row of an entry, with the SHA-256 of its own content: the checkpointer later chains these by seq. */
export async function auditRow(entry: AuditEntry, at: EpochMs): Promise<AuditRow> {
  const content = {
    at,
    action: entry.action,
    principalKind: entry.principal.kind,
    principalId: entry.principal.id,
    projectId: entry.projectId ?? null,
    jobId: entry.jobId ?? null,
    keyId: entry.keyId ?? null,
    details: canonicalJson(entry.details ?? {}),
  };
  return { ...content, digest: await sha256(utf8(canonicalJson(content))) };
}
