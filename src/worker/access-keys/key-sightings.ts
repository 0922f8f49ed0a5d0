/** Secrets that a person has seen outside of any job, from an export: they are to be replaced. */
import type { KeySightingsMarked, KeySightings as Report } from "../../protocol/access-keys.ts";
import type { Person } from "../../protocol/principal.ts";
import { requireMay } from "../accounts/permissions.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import type { Clock } from "../lib/time.ts";
import { findSighted, insertSightings } from "./key-sightings-store.ts";

export interface KeySightingsPorts {
  readonly db: D1Database;
  readonly clock: Clock;
}

export interface KeySightings {
  /** Marks these secrets as seen by `person`; each is an event of its key's. Said again, the first time stands. */
  mark(person: Person, report: Report): Promise<KeySightingsMarked>;
}

export function createKeySightings(ports: KeySightingsPorts): KeySightings {
  return {
    async mark(person, report) {
      requireMay(person, "key.mark_seen", null);
      return mark(ports, person, report);
    },
  };
}

async function mark(
  { db, clock }: KeySightingsPorts,
  person: Person,
  { sightings }: Report,
): Promise<KeySightingsMarked> {
  const now = clock();
  const versions = new Map(sightings.map(({ key_id, secret_version }) => [key_id, secret_version]));
  const found = await findSighted(db, sightings);
  const known = found.map(({ id, project_id }) => ({ id, project_id, secret_version: versions.get(id) ?? 0 }));
  const audits = known.map(({ id, project_id, secret_version }) => {
    const scope = project_id === null ? {} : { projectId: project_id };
    return auditRow({ action: "key.seen", principal: person, ...scope, keyId: id, details: { secret_version } }, now);
  });
  const seen = known.map(({ id, secret_version }) => ({ key_id: id, secret_version }));
  if (known.length > 0) {
    const auditRows = (await Promise.all(audits)).map((audit) => insertAudit(db, audit));
    await db.batch([insertSightings(db, seen, person.id, now), ...auditRows]);
  }
  const isReplaced = ({ id, secret_version }: (typeof found)[number]) => secret_version > (versions.get(id) ?? 0);
  return {
    marked: found.filter((key) => !isReplaced(key)).map(({ id }) => id),
    replaced: found.filter(isReplaced).map(({ id }) => id),
    unknown: [...versions.keys()].filter((id) => !found.some((key) => key.id === id)),
  };
}
