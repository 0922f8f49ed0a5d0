/**
 * A create that is sent again with the same client id: known by a MAC of its body, answered with what exists.
 * SQLite names one violated constraint of several, so whoever met any asks here first, and only then which.
 */
import { violatesUnique } from "../lib/d1.ts";
import { taken } from "../lib/fault.ts";
import type { Created } from "../lib/ids.ts";
import { equalDigests } from "./digests.ts";

/** What a create left behind: enough to tell its own retry from a stranger's use of the same id. */
export interface Made<Value> {
  readonly value: Value;
  readonly createdBy: string | null;
  readonly requestMac: Uint8Array;
}

/**
 * The answer to a retry, or null where nothing has that id: then something else was in the way.
 * @throws Fault `conflict` where the id is of another request. After a rotation of the sealing key it always is.
 */
export function retried<Value>(
  existing: Made<Value> | null,
  request: { readonly createdBy: string; readonly requestMac: Uint8Array },
): Created<Value> | null {
  if (existing === null) return null;
  const same = existing.createdBy === request.createdBy && equalDigests(existing.requestMac, request.requestMac);
  if (!same) throw taken("/id", "is in use");
  return { value: existing.value, isNew: false };
}

export interface Creation<Value> {
  readonly value: Value;
  readonly createdBy: string;
  readonly requestMac: Uint8Array;
  write(): Promise<unknown>;
  /** What has this id already. */
  find(): Promise<Made<Value> | null>;
  /** What to throw where it is not the id that is taken. */
  refusal(error: unknown): unknown;
}

/** Writes, and answers a retry with what stands. @throws whatever `refusal` makes of the error. */
export async function createOnce<Value>(creation: Creation<Value>): Promise<Created<Value>> {
  try {
    await creation.write();
    return { value: creation.value, isNew: true };
  } catch (error) {
    const before = violatesUnique(error) ? retried(await creation.find(), creation) : null;
    if (before !== null) return before;
    throw creation.refusal(error);
  }
}
