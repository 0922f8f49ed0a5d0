/** What the two signing slots hold at a moment, and when each may be overwritten. Pure. */
import { lateClockSeconds, type SigningSlot, type SigningSlotName, signingSlots } from "../../protocol/signing-keys.ts";
import { activeKey, type SigningKey, type SigningKeys } from "../crypto/signing.ts";
import { fromBase64Url } from "../lib/bytes.ts";
import { type EpochMs, plusSeconds, toSeconds, toTimestamp, toTimestampOrNull } from "../lib/time.ts";

/** When the last token of each key expires, by its kid; none for a key that signed nothing. */
export type LastExpiries = ReadonlyMap<string, EpochMs>;

export function slotsAt({ keys, problems }: SigningKeys, lastExpiries: LastExpiries, now: EpochMs): SigningSlot[] {
  const active = activeKey(keys, toSeconds(now));
  return signingSlots.map((slot) => {
    const key = keys.find(({ binding }) => binding === slot);
    if (key !== undefined) return heldSlot(slot, key, key === active, lastExpiries.get(key.kid) ?? null, now);
    const isUnusable = problems.some(({ binding, detail }) => binding === slot && detail !== "is not set");
    return freeSlot(slot, isUnusable ? "unusable" : "empty", now);
  });
}

/**
 * A key that signs, or that is announced, is needed. One that did sign is needed until the last of its tokens is
 * refused by every relying party, however late its clock.
 */
function heldSlot(
  slot: SigningSlotName,
  { kid, activatesAt, publicJwk }: SigningKey,
  isActive: boolean,
  lastExpiry: EpochMs | null,
  now: EpochMs,
): SigningSlot {
  const state = isActive ? "active" : activatesAt > toSeconds(now) ? "announced" : "retired";
  const freeAt = lastExpiry === null ? now : plusSeconds(lastExpiry, lateClockSeconds);
  const replaceableAt = state === "retired" ? Math.max(freeAt, now) : null;
  return {
    slot,
    state,
    kid,
    bits: (fromBase64Url(publicJwk.n)?.length ?? 0) * 8,
    activates_at: toTimestamp(activatesAt * 1000),
    last_token_expires_at: toTimestampOrNull(lastExpiry),
    replaceable_at: toTimestampOrNull(replaceableAt),
    replaceable: replaceableAt !== null && replaceableAt <= now,
  };
}

function freeSlot(slot: SigningSlotName, state: "unusable" | "empty", now: EpochMs): SigningSlot {
  return {
    slot,
    state,
    kid: null,
    bits: null,
    activates_at: null,
    last_token_expires_at: null,
    replaceable_at: toTimestamp(now),
    replaceable: true,
  };
}
