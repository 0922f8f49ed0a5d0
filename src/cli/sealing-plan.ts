/** What a rotation of the sealing key has to do next, from what the Worker shows. Pure: a killed run is begun again. */
import { type SealingKeyStatus, type SealingStatus, sealingSlots } from "../protocol/sealing.ts";

export type SealingStep =
  /** A new key goes into the idle slot. */
  | { readonly kind: "put"; readonly slot: string }
  /** A slot holds a new key: it is to seal. */
  | { readonly kind: "switch"; readonly key: SealingKeyStatus }
  /** The switch is made: records still rest under the old key. */
  | { readonly kind: "reseal" };

/** The next step, or in words why there is none. */
export function nextSealingStep({ seals_with, items }: SealingStatus): SealingStep | string {
  const missing = items.find(({ state }) => state === "missing");
  if (missing !== undefined)
    return `no slot holds the sealing key ${missing.key_id}, which is needed: put it back first`;
  if (items.some((key) => key.key_id !== seals_with && recordsOf(key) > 0)) return { kind: "reseal" };
  const fresh = items.find(({ state }) => state === "new");
  if (fresh !== undefined) return { kind: "switch", key: fresh };
  const busy = items.find(({ state }) => state === "retired");
  if (busy !== undefined)
    return `${busy.unfinished_jobs} unfinished jobs need the retired key ${busy.key_id}: wait for them`;
  const current = items.find(({ state }) => state === "seals");
  const slot = sealingSlots.find((name) => name !== current?.slot);
  return slot === undefined ? "there is no idle slot" : { kind: "put", slot };
}

/** Sealed records that rest under a key. */
function recordsOf({ access_keys, job_specs }: SealingKeyStatus): number {
  return access_keys + job_specs;
}
