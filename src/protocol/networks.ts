/** Allowed networks: from which addresses people, agents and viewers may come. */
import * as z from "zod";
import { AddressProof } from "./address-proofs.ts";
import { limits } from "./limits.ts";

/** Whom a list is about: API tokens; agents and the jobs on them; sockets that watch a log. */
export const Comer = z.enum(["people", "agents", "viewers"]);
export type Comer = z.infer<typeof Comer>;

/** CIDR ranges such as `192.0.2.0/24` or `2001:db8::/32`, or single addresses. Null: from anywhere. */
const Ranges = z.array(z.string().min(1).max(50)).min(1).max(limits.networks).nullable();

export const NetworkLists = z.strictObject({ people: Ranges, agents: Ranges, viewers: Ranges });
export type NetworkLists = z.infer<typeof NetworkLists>;

export const Networks = NetworkLists.extend({ revision: z.int() });
export type Networks = z.infer<typeof Networks>;

/** The lists, and how the addresses that they are about are known. */
export const NetworksShown = Networks.extend({
  /** Whether an address is the word of a proxy of one's own: lists are taken only while a proof holds. */
  trust_proxy: z.boolean(),
  address_proof: AddressProof.nullable(),
});
export type NetworksShown = z.infer<typeof NetworksShown>;

/** PATCH /api/v1/networks: lists that are not named stay. `force` also takes what shuts its own author out. */
export const NetworksPatch = z.strictObject({
  people: Ranges.optional(),
  agents: Ranges.optional(),
  viewers: Ranges.optional(),
  force: z.boolean().default(false),
});
export type NetworksPatch = z.infer<typeof NetworksPatch>;
