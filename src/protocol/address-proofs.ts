/** Proofs that no address which a client forges comes through the proxy in front (docs/guides/behind-a-proxy.md). */
import * as z from "zod";
import { Id, Timestamp } from "./ids.ts";

/** One request of a proof: to be sent as it stands, with `token` as its credential and no body. */
export const AddressTrial = z.object({
  method: z.enum(["GET", "POST"]),
  path: z.string(),
  /** As a websocket's upgrade. */
  upgrade: z.boolean(),
  headers: z.record(z.string(), z.string()),
  /** Shown this once; good for being seen once, and for nothing else. */
  token: z.string(),
});
export type AddressTrial = z.infer<typeof AddressTrial>;

export const AddressProofOpened = z.object({
  id: Id,
  /** What the proof is about: its requests go to this origin. */
  issuer: z.string(),
  expires_at: Timestamp,
  trials: z.array(AddressTrial),
});
export type AddressProofOpened = z.infer<typeof AddressProofOpened>;

/** `disproven`: an address that was forged arrived. `incomplete`: nothing is shown, one way or the other. */
export const AddressVerdict = z.enum(["proven", "disproven", "incomplete"]);
export type AddressVerdict = z.infer<typeof AddressVerdict>;

export const AddressProblem = z.object({
  path: z.string(),
  upgrade: z.boolean(),
  /** Which headers were forged. */
  forged: z.string(),
  detail: z.string(),
});
export type AddressProblem = z.infer<typeof AddressProblem>;

export const AddressProofJudged = z.object({
  verdict: AddressVerdict,
  /** The one address that every request came from, or null where there was none such. */
  address: z.string().nullable(),
  problems: z.array(AddressProblem),
  /** Until when a proof that was given holds. */
  holds_until: Timestamp.nullable(),
});
export type AddressProofJudged = z.infer<typeof AddressProofJudged>;

/** The last word on the proxy in front. */
export const AddressProof = z.object({
  verdict: z.enum(["proven", "disproven"]),
  at: Timestamp,
  /** The API token by which it was asked for. */
  by: Id,
  issuer: z.string(),
  /** Whether lists are taken on the strength of it now. */
  holds: z.boolean(),
  holds_until: Timestamp.nullable(),
});
export type AddressProof = z.infer<typeof AddressProof>;
