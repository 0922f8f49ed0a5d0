/**
 * Every route, asked by everybody, against the table of permissions; what one may not know of looks like nothing.
 * A new route gets its case in permission-cases/.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { roleAtLeast } from "../../src/protocol/principal.ts";
import { type Action, permissions } from "../../src/worker/accounts/permissions.ts";
import { type Answer, addProject, comparable } from "../support/api.ts";
import { everyRoute } from "../support/every-route.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { type Asker, type Case, methodOf, type Stage, setStage } from "../support/permissions.ts";
import { upgrade } from "../support/raw-request.ts";
import { accessKeyCases } from "./permission-cases/access-keys.ts";
import { accountCases } from "./permission-cases/accounts.ts";
import { agentCases } from "./permission-cases/agents.ts";
import { identityCases } from "./permission-cases/identity.ts";
import { jobCases } from "./permission-cases/jobs.ts";
import { logCases } from "./permission-cases/logs.ts";
import { projectCases } from "./permission-cases/projects.ts";
import { rolelessCases } from "./permission-cases/roleless.ts";
import { sealingCases } from "./permission-cases/sealing.ts";

const cases = [
  ...accountCases,
  ...projectCases,
  ...accessKeyCases,
  ...agentCases,
  ...jobCases,
  ...identityCases,
  ...sealingCases,
  ...logCases,
];

let harness: Harness;
let stage: Stage;

beforeAll(async () => {
  harness = await startHarness();
  stage = await setStage(harness);
});
afterAll(() => harness.close());

function expected({ action, scope, success, hidden }: Case, asker: Asker): number {
  if (asker.role === null) return 401;
  // A type for a project elsewhere is refused as one for a project that does not exist: by the role there.
  if (action === "agent_type.create" && asker.scope === "elsewhere") return 403;
  const needed = permissions[action];
  if (scope === "own") return roleAtLeast(asker.role, needed) ? success : 403;
  if (asker.scope === "elsewhere" && scope === "here") return 404;
  const holds = asker.scope === "organization" || scope === "here";
  if (holds && roleAtLeast(asker.role, needed)) return success;
  return hidden ? 404 : 403;
}

describe("the table of permissions", () => {
  it("and these cases cover every route there is, and every action", () => {
    const routes = everyRoute().map(({ method, path }) => `${method} ${path}`);
    const covered = new Set([...cases, ...rolelessCases].map(({ route }) => route));
    expect([...covered].toSorted()).toEqual([...new Set(routes)].toSorted());
    expect(routes.length).toBe(new Set(routes).size);
    const asked = new Set(cases.map(({ action }) => action));
    expect(Object.keys(permissions).filter((action) => !asked.has(action as Action))).toEqual([]);
  });

  it.each(cases.map((each) => [`${each.route} (${each.action} in ${each.scope})`, each] as const))(
    "decides %s for everybody",
    async (_, each) => {
      const { askers } = stage;
      // Changes of one thing one after the other: what they do to each other is another test's matter.
      const answers: Answer[] = [];
      if (each.action === "project.change") for (const asker of askers) answers.push(await each.ask(stage, asker));
      else answers.push(...(await Promise.all(askers.map((asker) => each.ask(stage, asker)))));
      const named = (statuses: number[]) => Object.fromEntries(askers.map(({ name }, at) => [name, statuses[at]]));
      expect(named(answers.map(({ status }) => status))).toEqual(named(askers.map((asker) => expected(each, asker))));
      for (const { status, body } of answers) {
        if (status === 401) expect(body.code).toBe("unauthenticated");
        if (status !== 403) continue;
        expect(body.code).toBe("forbidden");
        expect(body.detail).toContain(permissions[each.action]);
      }
    },
  );

  it.each(rolelessCases.map((each) => [each.route, each] as const))("has no say over %s", async (_, each) => {
    for (const asker of stage.askers) {
      const { token } = asker;
      const { status } = await stage.world.as(token, methodOf(each.route), each.path(stage), each.body?.(stage));
      expect([asker.name, status]).toEqual([asker.name, token === null ? each.none : each.any]);
    }
  });
});

describe("what one may not know of", () => {
  it("answers, byte for byte but for the request id, as what does not exist", async () => {
    const { world, jobId, keyId, project, made } = stage;
    const stranger = await world.tokenOf("owner", await addProject(world, "strangers"));
    const tokenId = (await made("/api/v1/tokens", { name: "x", role: "guest", project_id: world.projectId })).id;
    const missing = randomUUID();
    const pairs: [string, string, string, unknown?, unknown?][] = [
      ["GET", `/api/v1/jobs/${jobId}`, `/api/v1/jobs/${missing}`],
      ["POST", `/api/v1/jobs/${jobId}/stop`, `/api/v1/jobs/${missing}/stop`],
      ["GET", `/api/v1/jobs/${jobId}/identity`, `/api/v1/jobs/${missing}/identity`],
      ["GET", `/api/v1/logs/${jobId}`, `/api/v1/logs/${missing}`],
      ["GET", project(`/keys/${keyId}`), `/api/v1/projects/${missing}/keys/${keyId}`],
      ["DELETE", project(`/keys/${keyId}`), `/api/v1/projects/${missing}/keys/${missing}`],
      ["DELETE", `/api/v1/tokens/${tokenId}`, `/api/v1/tokens/${missing}`],
      ["GET", `/api/v1/agent-types/${world.agentTypeId}`, `/api/v1/agent-types/${missing}`],
      [
        "POST",
        "/api/v1/socket-tickets",
        "/api/v1/socket-tickets",
        { purpose: "job", job_id: jobId },
        { purpose: "job", job_id: missing },
      ],
    ];
    for (const [method, foreignPath, missingPath, foreignBody, missingBody] of pairs) {
      const foreign = await world.as(stranger, method, foreignPath, foreignBody);
      const none = await world.as(stranger, method, missingPath, missingBody);
      expect([method, foreignPath, foreign.status]).toEqual([method, foreignPath, 404]);
      expect(comparable(foreign)).toBe(comparable(none));
      const headers = (answer: Answer) =>
        [...answer.headers].filter(([name]) => !["x-request-id", "date"].includes(name));
      expect(headers(foreign)).toEqual(headers(none));
    }
    const sockets = await Promise.all([jobId, missing].map((id) => upgrade(harness, stranger, id)));
    expect(sockets.map(({ status }) => status)).toEqual([404, 404]);
    expect(new Set(sockets.map(comparable)).size).toBe(1);
  });

  it("is not told to a stranger who has no credential: ids, fields and bodies are looked at later", async () => {
    const { world, jobId } = stage;
    const asked: [string, string, unknown?][] = [
      ["GET", `/api/v1/jobs/${jobId}`],
      ["GET", "/api/v1/jobs/not-a-uuid"],
      ["GET", "/api/v1/projects?limit=0"],
      ["POST", "/api/v1/projects", "{"],
      ["POST", "/api/v1/projects", " ".repeat(1024 * 1024 + 1)],
    ];
    const answers: string[] = [];
    for (const [method, path, body] of asked) {
      const answer = await world.as(null, method, path, body);
      expect([path, answer.status]).toEqual([path, 401]);
      answers.push(comparable(answer));
    }
    expect(new Set(answers).size).toBe(1);
  });
});
