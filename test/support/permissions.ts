/**
 * Everybody who may ask, what there is to be asked for, and what a case of the table of permissions is: for
 * permissions.test.ts, and for its cases in permission-cases/.
 */
import { randomUUID } from "node:crypto";
import { roles } from "../../src/protocol/principal.ts";
import type { Action } from "../../src/worker/accounts/permissions.ts";
import { type Answer, addKey, addProject, createWorld, output, push, takeJob, type World } from "./api.ts";
import type { Harness } from "./harness.ts";

type Role = (typeof roles)[number];

export interface Asker {
  readonly name: string;
  readonly token: string | null;
  readonly role: Role | null;
  readonly scope: "organization" | "here" | "elsewhere" | null;
}

/** What there is to be asked for. Cases are written before it is there, so that each gets it when it is asked. */
export interface Stage {
  readonly world: World;
  readonly askers: readonly Asker[];
  readonly keyId: string;
  readonly organizationKeyId: string;
  readonly jobId: string;
  /** The path of what lies under the project, and under the organization's key. */
  project(tail?: string): string;
  organizationKey(tail?: string): string;
  /** Makes what a case needs, as the owner; answers the body. */
  made(path: string, body: unknown): Promise<Answer["body"]>;
}

/** A route asked so that only the permission decides. */
export interface Case {
  readonly route: string;
  readonly action: Action;
  /** Where the action is asked for; `own`: wherever the asker's role holds. */
  readonly scope: "organization" | "here" | "own";
  readonly success: number;
  /** Whoever is refused is told that there is nothing: reading it takes the same role. */
  readonly hidden?: boolean;
  ask(stage: Stage, asker: Asker): Promise<Answer>;
}

/** A route that admits by other than a person's role: to everybody the same, but for having no credential at all. */
export interface RolelessCase {
  readonly route: string;
  readonly none: number;
  readonly any: number;
  path(stage: Stage): string;
  body?(stage: Stage): unknown;
}

export async function setStage(harness: Harness): Promise<Stage> {
  const world = await createWorld(harness);
  const made: Stage["made"] = async (path, body) => (await world.as(world.owner, "POST", path, body)).body;
  const elsewhere = await addProject(world, "elsewhere");
  const keyId = await addKey(world, "seen", { type: "string", value: "x" });
  const organizationKeyId: string = (await made("/api/v1/keys", noSecret())).id;
  const jobId = await world.startJob();
  const { logToken } = await takeJob(world, await world.agent());
  await push(world, logToken, jobId, 0, [output("hi")]);
  return {
    world,
    askers: await everybody(world, elsewhere),
    keyId,
    organizationKeyId,
    jobId,
    project: (tail = "") => `/api/v1/projects/${world.projectId}${tail}`,
    organizationKey: (tail = "") => `/api/v1/keys/${organizationKeyId}${tail}`,
    made,
  };
}

async function everybody(world: World, elsewhere: string): Promise<Asker[]> {
  const of = async (role: Role, scope: "organization" | "here" | "elsewhere"): Promise<Asker> => {
    const projectId = { organization: null, here: world.projectId, elsewhere }[scope];
    return { name: `${role} of ${scope}`, token: await world.tokenOf(role, projectId), role, scope };
  };
  const scopes = ["organization", "here", "elsewhere"] as const;
  return [
    { name: "no credential", token: null, role: null, scope: null },
    { name: "a garbage credential", token: "garbage", role: null, scope: null },
    { name: "an unknown credential", token: `sbx_api_${"A".repeat(43)}`, role: null, scope: null },
    ...(await Promise.all(scopes.flatMap((scope) => roles.map((role) => of(role, scope))))),
  ];
}

/** A case that everybody asks at the same path. */
export function plain(
  route: string,
  action: Action,
  scope: Case["scope"],
  success: number,
  path: (stage: Stage) => string,
  body?: (stage: Stage) => unknown,
): Case {
  const ask: Case["ask"] = (stage, { token }) => stage.world.as(token, methodOf(route), path(stage), body?.(stage));
  return { route, action, scope, success, ask };
}

/** A case that uses up what it asks for: each asker gets one of its own. */
export function fresh(base: Omit<Case, "ask">, make: (stage: Stage) => Promise<string>): Case {
  return { ...base, ask: async (stage, { token }) => stage.world.as(token, methodOf(base.route), await make(stage)) };
}

export function methodOf(route: string): string {
  return route.split(" ")[0] ?? "";
}

export const unique = () => `n-${randomUUID()}`;

export const noSecret = () => ({ name: unique(), secret: { type: "none" } });
