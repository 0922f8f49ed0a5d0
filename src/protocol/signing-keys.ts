/** Signing keys: two slots, what each holds, and when it may be overwritten (DESIGN section 9). Times are seconds. */
import * as z from "zod";
import { LedgerEntry } from "./identity.ts";
import { Id, Timestamp } from "./ids.ts";

/** How long the public documents may be kept: as they are, while they are asked for again, and while we are down. */
export const publicCaching = { maxAge: 300, staleWhileRevalidate: 600, staleIfError: 3600 } as const;

/**
 * How far ahead a key is published before it signs: whoever kept the key set as long as it may be kept has asked
 * again by then, with a quarter of an hour to spare for isolates and caches that learn of it late.
 */
export const announcementSeconds =
  15 * 60 + publicCaching.maxAge + publicCaching.staleWhileRevalidate + publicCaching.staleIfError;

/** Relying parties whose clock is late take a token for so long after it expired (AWS: five minutes). */
export const lateClockSeconds = 300;

export const signingSlots = ["SIGNING_KEY_1", "SIGNING_KEY_2"] as const;
export const SigningSlotName = z.enum(signingSlots);
export type SigningSlotName = z.infer<typeof SigningSlotName>;

/**
 * `active`: it signs. `announced`: published, yet to sign. `retired`: it signs no more, but its tokens may live.
 * `unusable`: what it holds is no signing key; `empty`: nothing, or the other slot's key once more.
 */
export const SigningSlot = z.object({
  slot: SigningSlotName,
  state: z.enum(["active", "announced", "retired", "unusable", "empty"]),
  kid: z.string().nullable(),
  bits: z.int().nullable(),
  /** From when it signs, or has signed. */
  activates_at: Timestamp.nullable(),
  /** When the last token that it signed expires, by the ledger; null where it signed none. */
  last_token_expires_at: Timestamp.nullable(),
  /** From when it may be overwritten with nothing lost; null while that cannot be told: it signs, or is to sign. */
  replaceable_at: Timestamp.nullable(),
  replaceable: z.boolean(),
});
export type SigningSlot = z.infer<typeof SigningSlot>;

export const SigningSlots = z.object({
  items: z.array(SigningSlot),
  next: z.null(),
  /** By the Worker's clock. */
  now: Timestamp,
  /** A key that is put now may sign from then on, not sooner. */
  earliest_activation_at: Timestamp,
});
export type SigningSlots = z.infer<typeof SigningSlots>;

/** POST /api/v1/signing-keys/compromised, once the key is overwritten. */
export const CompromisedKey = z.strictObject({ kid: z.string().min(1).max(100) });

/** A token that would have lived on: its relying party may have taken it, and takes it no more. */
export const DeadToken = LedgerEntry.omit({ agent_id: true, claim_number: true }).extend({
  job_id: Id,
  project_id: Id,
});
export type DeadToken = z.infer<typeof DeadToken>;

export const CompromisedKeyReport = z.object({
  /** How many live tokens died with the key. */
  dead: z.int(),
  /** The thousand of them that would have lived longest. */
  items: z.array(DeadToken),
});
export type CompromisedKeyReport = z.infer<typeof CompromisedKeyReport>;
