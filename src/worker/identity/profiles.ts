/** Identity profiles: a project's managers say which tokens its jobs may ask for. */
import type { IdentityProfile, IdentityProfileCreate } from "../../protocol/identity-profiles.ts";
import { limits } from "../../protocol/limits.ts";
import type { Listed, Page } from "../../protocol/list.ts";
import type { Person } from "../../protocol/principal.ts";
import { requireMay } from "../accounts/permissions.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { createOnce } from "../crypto/create-once.ts";
import type { Sealer } from "../crypto/sealer.ts";
import type { Random } from "../lib/bytes.ts";
import { isGuardFailure, violatesUnique } from "../lib/d1.ts";
import { Fault, notFound, taken } from "../lib/fault.ts";
import { type Created, uuidv7 } from "../lib/ids.ts";
import { paged } from "../lib/paging.ts";
import { type Clock, toTimestamp } from "../lib/time.ts";
import type { Projects } from "../projects/projects.ts";
import { deleteProfile, findProfile, insertProfile, listProfiles, mustHaveRoom } from "./profiles-store.ts";

export interface ProfilesPorts {
  readonly db: D1Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly projects: Pick<Projects, "show">;
}

export interface Profiles {
  create(person: Person, projectId: string, request: IdentityProfileCreate): Promise<Created<IdentityProfile>>;
  list(person: Person, projectId: string, page: Page): Promise<Listed<IdentityProfile>>;
  remove(person: Person, projectId: string, id: string): Promise<void>;
}

export function createProfiles(ports: ProfilesPorts): Profiles {
  const { db, clock, projects } = ports;
  return {
    create: (person, projectId, request) => create(ports, person, projectId, request),
    async list(person, projectId, page) {
      await projects.show(person, projectId);
      requireMay(person, "identity_profile.read", projectId);
      return paged(page, (afterId, limit) => listProfiles(db, projectId, afterId, limit));
    },
    async remove(person, projectId, id) {
      requireMay(person, "identity_profile.change", projectId);
      const profile = await findProfile(db, projectId, id);
      if (profile === null) throw notFound();
      const details = { name: profile.value.name, audience: profile.value.rules.audience };
      const audit = await auditRow(
        { action: "identity_profile.delete", principal: person, projectId, details },
        clock(),
      );
      await db.batch([insertAudit(db, audit), deleteProfile(db, projectId, id)]);
    },
  };
}

async function create(
  { db, sealer, clock, random, projects }: ProfilesPorts,
  person: Person,
  projectId: string,
  request: IdentityProfileCreate,
): Promise<Created<IdentityProfile>> {
  await projects.show(person, projectId);
  requireMay(person, "identity_profile.change", projectId);
  const now = clock();
  const profile: IdentityProfile = {
    id: request.id ?? uuidv7(now, random),
    project_id: projectId,
    name: request.name,
    rules: request.rules,
    revision: 1,
    created_at: toTimestamp(now),
    created_by: person.id,
  };
  const requestMac = await sealer.requestMac(request);
  const details = { name: profile.name, audience: profile.rules.audience };
  const audit = await auditRow({ action: "identity_profile.create", principal: person, projectId, details }, now);
  return createOnce({
    value: profile,
    createdBy: person.id,
    requestMac,
    write: () =>
      db.batch([mustHaveRoom(db, projectId), insertProfile(db, profile, requestMac, now), insertAudit(db, audit)]),
    find: () => findProfile(db, projectId, profile.id),
    refusal(error) {
      if (isGuardFailure(error)) return new Fault("refused", `a project may have ${limits.identityProfiles} profiles`);
      if (violatesUnique(error, "identity_profiles.id")) return taken("/id", "is in use");
      return violatesUnique(error) ? taken("/name", "is taken by another profile of this project") : error;
    },
  });
}
