/** The sealing key's rotation: which keys are known, what rests under each, and the steps from one to the next. */
import * as z from "zod";
import { Id, Timestamp } from "./ids.ts";

/** The first 8 bytes of SHA-256 of a sealing key, in hex. */
const SealingKeyId = z.string().regex(/^[0-9a-f]{16}$/, "must be 16 digits of lower-case hex");

export const sealingSlots = ["ACCESS_KEY_ENCRYPTION", "ACCESS_KEY_ENCRYPTION_2"] as const;

/**
 * `seals`: what is written is sealed under it. `new`: a slot holds it, and it has yet to seal. `retired`: it seals no
 * more, but records or the masks of unfinished jobs need it. `safe_to_remove`: nothing does, nor ever will again.
 * `missing`: it is needed and no slot holds it. `gone`: neither needed nor held.
 */
const SealingKeyState = z.enum(["seals", "new", "retired", "safe_to_remove", "missing", "gone"]);

/**
 * That a copy of a sealing key is kept. `shown`: to a person, who typed its id back. `recipient`: encrypted to an age
 * recipient. `declined`: no copy is kept, on purpose.
 */
export const SealingEscrow = z.object({
  how: z.enum(["shown", "recipient", "declined"]),
  recipient: z.string().nullable(),
  at: Timestamp,
  by: Id,
});
export type SealingEscrow = z.infer<typeof SealingEscrow>;

/** What is told of a copy: never the key. */
export const SealingEscrowRecord = z
  .strictObject({
    key_id: SealingKeyId,
    how: SealingEscrow.shape.how,
    /** Of X25519, as age prints it. */
    recipient: z
      .string()
      .regex(/^age1[0-9a-z]{58}$/, "must be an age recipient (age1…)")
      .nullable()
      .default(null),
  })
  .refine(({ how, recipient }) => (recipient !== null) === (how === "recipient"), {
    path: ["recipient"],
    message: "belongs to `recipient` and to nothing else",
  });
export type SealingEscrowRecord = z.infer<typeof SealingEscrowRecord>;

export const SealingKeyStatus = z.object({
  key_id: SealingKeyId,
  /** The slot that holds it, in the isolate that answers. */
  slot: z.string().nullable(),
  state: SealingKeyState,
  /** When it began to seal; null before. */
  since: Timestamp.nullable(),
  access_keys: z.int(),
  job_specs: z.int(),
  /** Unfinished jobs whose masks may rest under it in their log rooms. */
  unfinished_jobs: z.int(),
  /** Null: nobody has said that a copy is kept. */
  escrow: SealingEscrow.nullable(),
});
export type SealingKeyStatus = z.infer<typeof SealingKeyStatus>;

export const SealingStatus = z.object({ seals_with: SealingKeyId, items: z.array(SealingKeyStatus), next: z.null() });
export type SealingStatus = z.infer<typeof SealingStatus>;

export const SealingSwitch = z.strictObject({ from: SealingKeyId, to: SealingKeyId });
export type SealingSwitch = z.infer<typeof SealingSwitch>;

/** Where a walk over every sealed record stands; null begins it. */
const SealingCursor = z.string().regex(/^(access_keys|job_specs)\/[0-9a-f-]{0,36}$/, "must be what `next` said");
export const SealingWalk = z.strictObject({ after: SealingCursor.nullable().default(null) });

export const SealingBatch = z.object({
  /** Records looked at. */
  seen: z.int(),
  /** Of these, the ones now sealed anew; a record that was changed meanwhile is not among them, nor needs it. */
  resealed: z.int(),
  unreadable: z.array(z.object({ table: z.string(), id: z.string() })),
  next: SealingCursor.nullable(),
});
export type SealingBatch = z.infer<typeof SealingBatch>;
