/** Who asks. Until members exist a person is an API token. */
import * as z from "zod";
import type { Id } from "./ids.ts";

/** Roles from the least to the most; a higher one holds all that a lower one may. */
export const roles = ["guest", "task_runner", "manager", "owner"] as const;
export const Role = z.enum(roles);
export type Role = z.infer<typeof Role>;

/** Somebody with a role in the organization (`projectId` null) or in one project. */
export interface Person {
  readonly kind: "token";
  /** The API token's id: `actor` in audit rows and tokens. */
  readonly id: Id;
  readonly name: string;
  readonly role: Role;
  readonly projectId: Id | null;
  /** When the token ends, in milliseconds since the epoch; null: when it is revoked. */
  readonly expiresAtMs: number | null;
}

/** The agent that presented its access token. */
export interface AgentPrincipal {
  readonly kind: "agent";
  readonly id: Id;
}

export type Principal = Person | AgentPrincipal;

export function roleAtLeast(held: Role, needed: Role): boolean {
  return roles.indexOf(held) >= roles.indexOf(needed);
}
