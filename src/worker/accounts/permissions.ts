/** Who may do what: one table, shared by code, documentation (docs/permissions.md) and a test. Pure. */
import { type Person, type Role, roleAtLeast } from "../../protocol/principal.ts";
import { Fault, notFound } from "../lib/fault.ts";
import { type EpochMs, plusSeconds } from "../lib/time.ts";

/** The least role for each action, held in the project concerned, or in the organization where there is none. */
export const permissions = {
  "organization.read": "guest",
  "organization.change": "owner",
  "networks.read": "owner",
  "networks.change": "owner",
  "token.manage": "owner",
  "project.create": "owner",
  "project.read": "guest",
  "project.change": "manager",
  "key.read": "guest",
  "key.create": "manager",
  "key.change": "manager",
  "key.delete": "manager",
  "key.share": "manager",
  "agent_type.read": "guest",
  "agent_type.create": "manager",
  "agent_type.change": "manager",
  "registration_token.create": "manager",
  "agent.read": "guest",
  "agent.disconnect": "manager",
  "job.read": "guest",
  "job.start": "task_runner",
  "job.start_protected": "manager",
  "job.stop": "task_runner",
  "identity_preview.read": "guest",
  "identity_profile.read": "guest",
  "identity_profile.change": "manager",
  "identity_ledger.read": "manager",
  "signing_key.read": "owner",
  "signing_key.compromised": "owner",
  "key.mark_seen": "owner",
  "sealing.read": "owner",
  "sealing.rotate": "owner",
  "log.read": "guest",
  "audit.read": "owner",
} as const satisfies Record<string, Role>;
export type Action = keyof typeof permissions;

/** The role that a person holds in a project (null: in the organization), or null for none. */
export function roleIn(person: Person, projectId: string | null): Role | null {
  return person.projectId === null || person.projectId === projectId ? person.role : null;
}

export function mayDo(person: Person, action: Action, projectId: string | null): boolean {
  const held = roleIn(person, projectId);
  return held !== null && roleAtLeast(held, permissions[action]);
}

/** Whether a person may know that a project, and what lies in it, exists. */
export function mayRead(person: Person, projectId: string): boolean {
  return mayDo(person, "project.read", projectId);
}

/**
 * @throws Fault `not_found` where the person may not know that it exists, the same as where it does not;
 *   `forbidden`, naming the role that it takes, where they may.
 */
export function requireMay(person: Person, action: Action, projectId: string | null): void {
  if (mayDo(person, action, projectId)) return;
  if (projectId !== null && !mayRead(person, projectId)) throw notFound();
  const scope = projectId === null ? "the organization" : "this project";
  throw new Fault("forbidden", `this takes the role ${permissions[action]} in ${scope}`);
}

/** When what a person makes ends: after the time asked for (null: never), and never after their own credential. */
export function endOf(person: Person, now: EpochMs, seconds: number | null): EpochMs | null {
  const asked = seconds === null ? Number.POSITIVE_INFINITY : plusSeconds(now, seconds);
  const end = Math.min(asked, person.expiresAtMs ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(end) ? (end as EpochMs) : null;
}
