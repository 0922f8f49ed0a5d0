/** Which slot a new signing key goes into, and from when it signs. Pure. */
import { announcementSeconds, type SigningSlot, type SigningSlots } from "../protocol/signing-keys.ts";

export interface RotationWish {
  /** The active key must go now, whatever lives on it. */
  readonly compromised: boolean;
  /** From when the new key is to sign, in seconds from now. */
  readonly delaySeconds: number;
}

export interface RotationPlan {
  readonly slot: SigningSlot;
  /** Unix seconds, by the Worker's clock. */
  readonly activatesAt: number;
}

const preference: SigningSlot["state"][] = ["empty", "unusable", "retired"];

/** The plan, or in words why there is none. */
export function planRotation({ items, now }: SigningSlots, wish: RotationWish): RotationPlan | string {
  const nowSeconds = Math.floor(Date.parse(now) / 1000);
  if (wish.compromised) {
    const active = items.find(({ state }) => state === "active");
    // Everybody must take the new key at once: there is nothing left to announce it for.
    return active ? { slot: active, activatesAt: nowSeconds } : "no key signs that could be compromised";
  }
  if (wish.delaySeconds < announcementSeconds) {
    return `a key is announced ${announcementSeconds / 60}m ahead at least: verifiers may hold the old key set so long`;
  }
  const free = items.filter(({ replaceable }) => replaceable);
  const [slot] = free.toSorted((a, b) => preference.indexOf(a.state) - preference.indexOf(b.state));
  return slot === undefined ? refusal(items) : { slot, activatesAt: nowSeconds + wish.delaySeconds };
}

function refusal(items: readonly SigningSlot[]): string {
  return `no slot may be overwritten yet: ${items.map(need).join("; ")}`;
}

/** What a slot is still needed for. */
function need({ slot, state, activates_at, replaceable_at }: SigningSlot): string {
  switch (state) {
    case "active":
      return `${slot} signs`;
    case "announced":
      return `${slot} is announced, and signs from ${activates_at}`;
    case "retired":
      return `tokens that ${slot} signed may be verified until ${replaceable_at}`;
    default:
      return `${slot} is ${state}`;
  }
}
