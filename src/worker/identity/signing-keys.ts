/** Signing keys, as their owner rotates them: what both slots hold, and what dies with a compromised key. */
import type { Person } from "../../protocol/principal.ts";
import { announcementSeconds, type CompromisedKeyReport, type SigningSlots } from "../../protocol/signing-keys.ts";
import { requireMay } from "../accounts/permissions.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import type { SigningKeys as HeldSigningKeys } from "../crypto/signing.ts";
import { Fault, refusedField } from "../lib/fault.ts";
import { type Clock, plusSeconds, toTimestamp } from "../lib/time.ts";
import { countLiveMints, lastExpiries, listKids, listLiveMints } from "./ledger-store.ts";
import { slotsAt } from "./signing-slots.ts";

export interface SigningKeysPorts {
  readonly db: D1Database;
  readonly clock: Clock;
  readonly signing: HeldSigningKeys;
}

export interface SigningKeyRotation {
  slots(person: Person): Promise<SigningSlots>;
  /**
   * What dies with a key that was overwritten before its time.
   * @throws Fault `conflict` while a slot still holds it: its tokens still verify; `refused` where it signed nothing, as
   * far as the ledger goes back: it may be mistyped.
   */
  compromised(person: Person, kid: string): Promise<CompromisedKeyReport>;
}

export function createSigningKeyRotation(ports: SigningKeysPorts): SigningKeyRotation {
  const { db, clock, signing } = ports;
  return {
    async slots(person) {
      requireMay(person, "signing_key.read", null);
      const now = clock();
      const expiries = await lastExpiries(
        db,
        signing.keys.map(({ kid }) => kid),
      );
      return {
        items: slotsAt(signing, expiries, now),
        next: null,
        now: toTimestamp(now),
        earliest_activation_at: toTimestamp(plusSeconds(now, announcementSeconds)),
      };
    },
    async compromised(person, kid) {
      requireMay(person, "signing_key.compromised", null);
      const holder = signing.keys.find((key) => key.kid === kid);
      if (holder !== undefined) {
        throw new Fault("conflict", `${holder.binding} still holds this key: overwrite it first, its tokens verify`);
      }
      if (!(await lastExpiries(db, [kid])).has(kid)) throw await unknownKid(db, signing);
      const now = clock();
      const dead = await countLiveMints(db, kid, now);
      const details = { kid, dead };
      await insertAudit(
        db,
        await auditRow({ action: "signing_key.compromised", principal: person, details }, now),
      ).run();
      return { dead, items: await listLiveMints(db, kid, now) };
    },
  };
}

/** Enough to see which one was meant. */
const kidsShown = 10;

async function unknownKid(db: D1Database, { keys }: HeldSigningKeys): Promise<Fault> {
  const held = new Map(keys.map(({ kid, binding }) => [kid, `${kid} (${binding})`]));
  const signed = (await listKids(db, kidsShown)).filter((kid) => !held.has(kid));
  const known = [...held.values(), ...signed].join(", ") || "none";
  return refusedField("/kid", `neither a slot nor the ledger of tokens knows it; they know ${known}`);
}
