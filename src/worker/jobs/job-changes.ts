/** The feed as people read it: what happened to the jobs that they may see, from a position on. */
import type { JobChangesPage, JobChangesQuery } from "../../protocol/job-changes.ts";
import { limits } from "../../protocol/limits.ts";
import type { Person } from "../../protocol/principal.ts";
import { livePeople } from "../accounts/accounts.ts";
import { mayDo, requireMay } from "../accounts/permissions.ts";
import { type Clock, type EpochMs, plusSeconds } from "../lib/time.ts";
import { type FoundChanges, findChanges, pruneChanges } from "./job-changes-store.ts";

export interface JobChanges {
  list(person: Person, query: JobChangesQuery): Promise<JobChangesPage>;
  /** Those of these principals who may read it now, by id: a token may be revoked or end while its socket is open. */
  readers(principalIds: readonly string[], now: EpochMs): Promise<ReadonlyMap<string, Person>>;
  /** Deletes what is older than is promised to be kept; a part of it where it is much. */
  prune(): Promise<void>;
}

/** Rows that one sweep deletes at most: a D1 statement must end, and the next sweep goes on. */
const prunedAtOnce = 2000;

export function createJobChanges({ db, clock }: { db: D1Database; clock: Clock }): JobChanges {
  return {
    async list(person, { after, limit }) {
      requireMay(person, "job.read", person.projectId);
      return pageOf(after, await findChanges(db, { projectId: person.projectId, after, limit }));
    },
    async readers(principalIds, now) {
      const people = await livePeople(db, principalIds, now);
      const allowed = people.filter((person) => mayDo(person, "job.read", person.projectId));
      return new Map(allowed.map((person) => [person.id, person]));
    },
    prune: () => pruneChanges(db, plusSeconds(clock(), -limits.jobChangesKeptSeconds), prunedAtOnce),
  };
}

/**
 * Pure. A position that lies ahead of the newest comes from a database that was put back since: it begins there. One
 * that lies before the oldest goes on at that, also where nothing of it may be read: what is missing is told once.
 */
function pageOf(after: number, { items, oldest, newest }: FoundChanges): JobChangesPage {
  const last = newest ?? 0;
  return {
    items,
    next: items.at(-1)?.position ?? Math.max(Math.min(after, last), Math.min((oldest ?? 1) - 1, last)),
    complete: after <= last && after + 1 >= (oldest ?? 1),
  };
}
