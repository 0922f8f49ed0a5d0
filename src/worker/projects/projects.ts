/** Projects: the only tenants. Each has one repository, a default branch and protected refs. */
import type { Listed, Page } from "../../protocol/list.ts";
import type { Person } from "../../protocol/principal.ts";
import type { Project, ProjectCreate, ProjectPatch } from "../../protocol/projects.ts";
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
import { findProject, insertProject, listProjects, patchedProject, patchSettings } from "./projects-store.ts";

export interface ProjectsPorts {
  readonly db: D1Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Projects {
  create(person: Person, request: ProjectCreate): Promise<Created<Project>>;
  list(person: Person, name: string | null, page: Page): Promise<Listed<Project>>;
  show(person: Person, id: string): Promise<Project>;
  /** @throws Fault `precondition_failed` where `revision` is given and no longer the project's. */
  change(person: Person, id: string, patch: ProjectPatch, revision: number | null): Promise<Project>;
  /** For other domains: no permission is asked. */
  find(id: string): Promise<Project | null>;
}

export function createProjects(ports: ProjectsPorts): Projects {
  const { db } = ports;
  const find = async (id: string) => (await findProject(db, id))?.value ?? null;
  const show = async (person: Person, id: string) => {
    requireMay(person, "project.read", id);
    const project = await find(id);
    if (project === null) throw notFound();
    return project;
  };
  return {
    find,
    show,
    create: (person, request) => create(ports, person, request),
    list(person, name, page) {
      requireMay(person, "project.read", person.projectId);
      return paged(page, (afterId, limit) => listProjects(db, { onlyId: person.projectId, name, afterId, limit }));
    },
    async change(person, id, patch, revision) {
      await show(person, id);
      requireMay(person, "project.change", id);
      return change(ports, person, id, patch, revision);
    },
  };
}

async function create(ports: ProjectsPorts, person: Person, request: ProjectCreate): Promise<Created<Project>> {
  const { db, sealer, clock, random } = ports;
  requireMay(person, "project.create", null);
  const now = clock();
  const { id = uuidv7(now, random), name, repository, settings } = request;
  const project = { id, name, repository, settings, revision: 1, created_at: toTimestamp(now), created_by: person.id };
  const requestMac = await sealer.requestMac(request);
  const audit = await auditRow({ action: "project.create", principal: person, projectId: id, details: { name } }, now);
  return createOnce({
    value: project,
    createdBy: person.id,
    requestMac,
    write: () => db.batch([insertProject(db, project, requestMac, now), insertAudit(db, audit)]),
    find: () => findProject(db, id),
    refusal(error) {
      if (!violatesUnique(error)) return error;
      if (violatesUnique(error, "subject_names.project_id")) return taken("/id", "was another project's");
      if (violatesUnique(error, "subject_names.repository_name")) {
        return taken("/repository/name", "was in another project's subjects, which policies may still trust");
      }
      const field = violatesUnique(error, "projects.name") ? "/name" : "/repository/name";
      return taken(field, "is taken by another project");
    },
  });
}

async function change(
  { db, clock }: ProjectsPorts,
  person: Person,
  id: string,
  patch: ProjectPatch,
  revision: number | null,
): Promise<Project> {
  const details = { fields: Object.keys(patch).join(" ") };
  const audit = await auditRow({ action: "project.change", principal: person, projectId: id, details }, clock());
  try {
    return patchedProject(await db.batch([insertAudit(db, audit), ...patchSettings(db, id, patch, revision)]));
  } catch (error) {
    if (isGuardFailure(error)) throw changedSince();
    throw error;
  }
}

function changedSince(): Fault {
  return new Fault("precondition_failed", "the project has changed since you read it: read it again");
}
