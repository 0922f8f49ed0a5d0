import { describe, expect, test } from "vitest";
import { type Person, type Role, roleAtLeast, roles } from "../../../../src/protocol/principal.ts";
import {
  type Action,
  mayDo,
  mayRead,
  permissions,
  requireMay,
  roleIn,
} from "../../../../src/worker/accounts/permissions.ts";
import { faultOf, idOf } from "../fixtures.ts";

const mine = idOf(1);
const foreign = idOf(2);
const actions = Object.keys(permissions) as Action[];
const person = (role: Role, projectId: string | null = null): Person => ({
  kind: "token",
  id: idOf(9),
  name: "t",
  role,
  projectId,
  expiresAtMs: null,
});

describe.each(actions)("%s", (action) => {
  test("is open from its role on, and to every higher one", () => {
    for (const role of roles) {
      const expected = roleAtLeast(role, permissions[action]);
      for (const scope of [null, mine, foreign]) expect(mayDo(person(role), action, scope)).toBe(expected);
      expect(mayDo(person(role, mine), action, mine)).toBe(expected);
    }
  });

  test("never falls with a rising role", () => {
    for (const scope of [null, mine]) {
      for (const held of [null, mine, foreign]) {
        const open = roles.map((role) => mayDo(person(role, held), action, scope));
        expect(open).toEqual([...open].sort((a, b) => Number(a) - Number(b)));
      }
    }
  });

  test("is closed to another project's owner, in this project and in the organization", () => {
    expect(mayDo(person("owner", foreign), action, mine)).toBe(false);
    expect(mayDo(person("owner", mine), action, null)).toBe(false);
  });

  test("where it is refused inside a visible project, names the role and the place", async () => {
    for (const role of roles) {
      for (const [held, scope, place] of [
        [mine, mine, "this project"],
        [null, mine, "this project"],
        [null, null, "the organization"],
      ] as const) {
        const run = () => requireMay(person(role, held), action, scope);
        if (mayDo(person(role, held), action, scope)) expect(run()).toBeUndefined();
        else
          expect(await faultOf(run)).toMatchObject({
            code: "forbidden",
            detail: `this takes the role ${permissions[action]} in ${place}`,
          });
      }
    }
  });

  test("in a project that one may not see is as in one that does not exist", async () => {
    const fault = await faultOf(() => requireMay(person("owner", mine), action, foreign));
    expect(fault).toMatchObject({ code: "not_found", detail: "not found, or not visible to you", errors: [] });
  });
});

test("the lowest role reads, and changes nothing", () => {
  const open = actions.filter((action) => mayDo(person("guest"), action, null));
  for (const action of open) expect(action).toMatch(/\.read$/);
  expect(mayRead(person("guest", mine), mine)).toBe(true);
  expect(mayRead(person("owner", mine), foreign)).toBe(false);
});

test("a task runner may start and stop jobs, but none on a protected ref", () => {
  const runner = person("task_runner", mine);
  expect(
    ["job.start", "job.stop", "job.start_protected", "key.create"].map((action) =>
      mayDo(runner, action as Action, mine),
    ),
  ).toEqual([true, true, false, false]);
});

test("what hands out rights, or shows what everybody did, takes an owner", () => {
  for (const action of ["token.manage", "project.create", "audit.read"] as const)
    expect(permissions[action]).toBe("owner");
});

test("a role is held in its project, or everywhere", () => {
  expect(roleIn(person("manager"), null)).toBe("manager");
  expect(roleIn(person("manager"), mine)).toBe("manager");
  expect(roleIn(person("manager", mine), mine)).toBe("manager");
  expect(roleIn(person("manager", mine), foreign)).toBeNull();
  expect(roleIn(person("manager", mine), null)).toBeNull();
});
