/** Every route, asked by everybody, against the table of permissions; what one may not know of looks like nothing. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { roleAtLeast, roles } from "../../src/protocol/principal.ts";
import { type Action, permissions } from "../../src/worker/accounts/permissions.ts";
import {
  type Answer,
  addKey,
  addProject,
  comparable,
  createWorld,
  jobStart,
  output,
  push,
  registration,
  takeJob,
  type World,
} from "../support/api.ts";
import { everyRoute } from "../support/every-route.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { upgrade } from "../support/raw-request.ts";

type Role = (typeof roles)[number];

interface Asker {
  readonly name: string;
  readonly token: string | null;
  readonly role: Role | null;
  readonly scope: "organization" | "here" | "elsewhere" | null;
}

/** A route asked so that only the permission decides. */
interface Case {
  readonly route: string;
  readonly action: Action;
  /** Where the action is asked for; `own`: wherever the asker's role holds. */
  readonly scope: "organization" | "here" | "own";
  readonly success: number;
  /** Whoever is refused is told that there is nothing: reading it takes the same role. */
  readonly hidden?: boolean;
  ask(asker: Asker): Promise<Answer>;
}

let harness: Harness;
let world: World;
let askers: Asker[];
let keyId: string;
let organizationKeyId: string;
let jobId: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  const elsewhere = await addProject(world, "elsewhere");
  keyId = await addKey(world, "seen", { type: "string", value: "x" });
  organizationKeyId = (await made("/api/v1/keys", noSecret())).id;
  jobId = await world.startJob();
  const { logToken } = await takeJob(world, await world.agent());
  await push(world, logToken, jobId, 0, [output("hi")]);
  const of = async (role: Role, scope: "organization" | "here" | "elsewhere"): Promise<Asker> => {
    const projectId = { organization: null, here: world.projectId, elsewhere }[scope];
    return { name: `${role} of ${scope}`, token: await world.tokenOf(role, projectId), role, scope };
  };
  const scopes = ["organization", "here", "elsewhere"] as const;
  askers = [
    { name: "no credential", token: null, role: null, scope: null },
    { name: "a garbage credential", token: "garbage", role: null, scope: null },
    { name: "an unknown credential", token: `sbx_api_${"A".repeat(43)}`, role: null, scope: null },
    ...(await Promise.all(scopes.flatMap((scope) => roles.map((role) => of(role, scope))))),
  ];
});
afterAll(() => harness.close());

const unique = () => `n-${randomUUID()}`;
const project = (tail = "") => `/api/v1/projects/${world.projectId}${tail}`;

function plain(
  route: string,
  action: Action,
  scope: Case["scope"],
  success: number,
  path: () => string,
  body?: () => unknown,
): Case {
  const method = route.split(" ")[0] ?? "";
  return { route, action, scope, success, ask: ({ token }) => world.as(token, method, path(), body?.()) };
}

const azureCredential = JSON.stringify({ issuer: "https://ci.example.com", subject: "x", audiences: ["y"] });
const newJob = (ref: string) => () => ({ ...jobStart(), ref });

function fresh(base: Omit<Case, "ask">, make: () => Promise<string>): Case {
  const method = base.route.split(" ")[0] ?? "";
  return { ...base, ask: async ({ token }) => world.as(token, method, await make()) };
}

const made = async (path: string, body: unknown) => (await world.as(world.owner, "POST", path, body)).body;

const noSecret = () => ({ name: unique(), secret: { type: "none" } });
const organizationKey = (tail = "") => `/api/v1/keys/${organizationKeyId}${tail}`;

const cases: Case[] = [
  plain("GET /api/v1/whoami", "organization.read", "own", 200, () => "/api/v1/whoami"),
  plain(
    "POST /api/v1/tokens",
    "token.manage",
    "here",
    201,
    () => "/api/v1/tokens",
    () => ({
      name: "x",
      role: "guest",
      project_id: world.projectId,
    }),
  ),
  plain(
    "POST /api/v1/tokens",
    "token.manage",
    "organization",
    201,
    () => "/api/v1/tokens",
    () => ({
      name: "x",
      role: "guest",
    }),
  ),
  plain("GET /api/v1/tokens", "token.manage", "own", 200, () => "/api/v1/tokens"),
  fresh(
    { route: "DELETE /api/v1/tokens/:token_id", action: "token.manage", scope: "here", success: 204, hidden: true },
    async () =>
      `/api/v1/tokens/${(await made("/api/v1/tokens", { name: "x", role: "guest", project_id: world.projectId })).id}`,
  ),
  plain("GET /api/v1/organization", "organization.read", "own", 200, () => "/api/v1/organization"),
  plain(
    "PATCH /api/v1/organization",
    "organization.change",
    "organization",
    200,
    () => "/api/v1/organization",
    () => ({ pull_request_word: "pr" }),
  ),
  plain("GET /api/v1/networks", "networks.read", "organization", 200, () => "/api/v1/networks"),
  plain(
    "PATCH /api/v1/networks",
    "networks.change",
    "organization",
    200,
    () => "/api/v1/networks",
    () => ({ people: null }),
  ),
  // Under TRUST_PROXY alone is there something to show.
  plain("POST /api/v1/networks/proofs", "networks.change", "organization", 422, () => "/api/v1/networks/proofs"),
  plain(
    "POST /api/v1/networks/proofs/:proof_id/judgement",
    "networks.change",
    "organization",
    404,
    () => `/api/v1/networks/proofs/${randomUUID()}/judgement`,
  ),
  plain("GET /api/v1/audit", "audit.read", "organization", 200, () => "/api/v1/audit"),
  plain(
    "POST /api/v1/projects",
    "project.create",
    "organization",
    201,
    () => "/api/v1/projects",
    () => {
      const name = unique();
      return { name, repository: { name, slug: "a/b" } };
    },
  ),
  plain("GET /api/v1/projects", "project.read", "own", 200, () => "/api/v1/projects"),
  plain("GET /api/v1/projects/:project_id", "project.read", "here", 200, () => project()),
  plain(
    "PATCH /api/v1/projects/:project_id",
    "project.change",
    "here",
    200,
    () => project(),
    () => ({
      job_time_limit_seconds: 3600,
    }),
  ),
  plain(
    "POST /api/v1/projects/:project_id/keys",
    "key.create",
    "here",
    201,
    () => project("/keys"),
    () => ({
      name: unique(),
      secret: { type: "none" },
    }),
  ),
  plain(
    "POST /api/v1/projects/:project_id/keys/generate",
    "key.create",
    "here",
    201,
    () => project("/keys/generate"),
    () => ({ name: unique() }),
  ),
  plain("GET /api/v1/projects/:project_id/keys", "key.read", "here", 200, () => project("/keys")),
  plain("GET /api/v1/projects/:project_id/keys/:key_id", "key.read", "here", 200, () => project(`/keys/${keyId}`)),
  plain(
    "PATCH /api/v1/projects/:project_id/keys/:key_id",
    "key.change",
    "here",
    200,
    () => project(`/keys/${keyId}`),
    () => ({ policy: {} }),
  ),
  plain(
    "POST /api/v1/projects/:project_id/keys/:key_id/decision",
    "key.read",
    "here",
    200,
    () => project(`/keys/${keyId}/decision`),
    () => ({ ref: "refs/heads/main", agent_type: "any" }),
  ),
  plain("GET /api/v1/projects/:project_id/keys/:key_id/hand-overs", "key.read", "here", 200, () =>
    project(`/keys/${keyId}/hand-overs`),
  ),
  fresh(
    { route: "DELETE /api/v1/projects/:project_id/keys/:key_id", action: "key.delete", scope: "here", success: 204 },
    async () => project(`/keys/${await addKey(world, unique(), { type: "none" })}`),
  ),
  plain("POST /api/v1/keys", "key.create", "organization", 201, () => "/api/v1/keys", noSecret),
  plain(
    "POST /api/v1/keys/generate",
    "key.create",
    "organization",
    201,
    () => "/api/v1/keys/generate",
    () => ({ name: unique() }),
  ),
  plain(
    "POST /api/v1/keys/sightings",
    "key.mark_seen",
    "organization",
    200,
    () => "/api/v1/keys/sightings",
    () => ({ sightings: [{ key_id: crypto.randomUUID(), secret_version: 1 }] }),
  ),
  plain("GET /api/v1/keys", "key.read", "organization", 200, () => "/api/v1/keys"),
  plain("GET /api/v1/keys/:key_id", "key.read", "organization", 200, () => organizationKey()),
  plain(
    "PATCH /api/v1/keys/:key_id",
    "key.change",
    "organization",
    200,
    () => organizationKey(),
    () => ({ policy: { forks: true } }),
  ),
  plain("GET /api/v1/keys/:key_id/hand-overs", "key.read", "organization", 200, () => organizationKey("/hand-overs")),
  plain("GET /api/v1/keys/:key_id/shares", "key.read", "organization", 200, () => organizationKey("/shares")),
  {
    route: "POST /api/v1/keys/:key_id/shares",
    action: "key.share",
    scope: "organization",
    success: 201,
    ask: async ({ token }) => {
      const { id } = await made("/api/v1/keys", noSecret());
      return world.as(token, "POST", `/api/v1/keys/${id}/shares`, { project_id: world.projectId });
    },
  },
  fresh(
    {
      route: "DELETE /api/v1/keys/:key_id/shares/:project_id",
      action: "key.share",
      scope: "organization",
      success: 200,
    },
    async () => {
      const { id } = await made("/api/v1/keys", noSecret());
      await made(`/api/v1/keys/${id}/shares`, { project_id: world.projectId });
      return `/api/v1/keys/${id}/shares/${world.projectId}`;
    },
  ),
  fresh(
    { route: "DELETE /api/v1/keys/:key_id", action: "key.delete", scope: "organization", success: 204 },
    async () => `/api/v1/keys/${(await made("/api/v1/keys", noSecret())).id}`,
  ),
  plain(
    "POST /api/v1/agent-types",
    "agent_type.create",
    "own",
    201,
    () => "/api/v1/agent-types",
    () => ({
      name: unique(),
      policy: { project_ids: [world.projectId] },
    }),
  ),
  plain("GET /api/v1/agent-types", "agent_type.read", "own", 200, () => "/api/v1/agent-types"),
  plain(
    "GET /api/v1/agent-types/:agent_type_id",
    "agent_type.read",
    "here",
    200,
    () => `/api/v1/agent-types/${world.agentTypeId}`,
  ),
  plain(
    "PATCH /api/v1/agent-types/:agent_type_id",
    "agent_type.change",
    "here",
    200,
    () => `/api/v1/agent-types/${world.agentTypeId}`,
    () => ({ certificates: null }),
  ),
  plain(
    "POST /api/v1/agent-types/:agent_type_id/registration-tokens",
    "registration_token.create",
    "here",
    201,
    () => `/api/v1/agent-types/${world.agentTypeId}/registration-tokens`,
    () => ({}),
  ),
  fresh(
    { route: "DELETE /api/v1/agents/:agent_id", action: "agent.disconnect", scope: "here", success: 204 },
    async () => {
      const name = unique();
      await world.agent(name);
      return `/api/v1/agents/${await harness.db.prepare("SELECT id FROM agents WHERE name = ?").bind(name).first("id")}`;
    },
  ),
  plain("GET /api/v1/agents", "agent.read", "own", 200, () => "/api/v1/agents"),
  plain(
    "POST /api/v1/projects/:project_id/jobs",
    "job.start",
    "here",
    201,
    () => project("/jobs"),
    newJob("refs/heads/free"),
  ),
  plain(
    "POST /api/v1/projects/:project_id/jobs",
    "job.start_protected",
    "here",
    201,
    () => project("/jobs"),
    newJob("refs/heads/main"),
  ),
  plain("GET /api/v1/projects/:project_id/jobs", "job.read", "here", 200, () => project("/jobs")),
  plain("GET /api/v1/job-changes", "job.read", "own", 200, () => "/api/v1/job-changes"),
  plain("GET /api/v1/jobs/:job_id", "job.read", "here", 200, () => `/api/v1/jobs/${jobId}`),
  fresh(
    { route: "POST /api/v1/jobs/:job_id/stop", action: "job.stop", scope: "here", success: 200 },
    async () => `/api/v1/jobs/${await world.startJob()}/stop`,
  ),
  plain(
    "GET /api/v1/jobs/:job_id/identity",
    "identity_ledger.read",
    "here",
    200,
    () => `/api/v1/jobs/${jobId}/identity`,
  ),
  plain(
    "POST /api/v1/projects/:project_id/identity/preview",
    "identity_preview.read",
    "here",
    200,
    () => project("/identity/preview"),
    () => ({ ref: "refs/heads/main" }),
  ),
  plain(
    "POST /api/v1/projects/:project_id/identity-profiles",
    "identity_profile.change",
    "here",
    201,
    () => project("/identity-profiles"),
    () => ({ name: unique(), rules: { audience: "vault" } }),
  ),
  plain("GET /api/v1/projects/:project_id/identity-profiles", "identity_profile.read", "here", 200, () =>
    project("/identity-profiles"),
  ),
  fresh(
    {
      route: "DELETE /api/v1/projects/:project_id/identity-profiles/:profile_id",
      action: "identity_profile.change",
      scope: "here",
      success: 204,
    },
    async () => {
      const { id } = await made(project("/identity-profiles"), { name: unique(), rules: { audience: "vault" } });
      return project(`/identity-profiles/${id}`);
    },
  ),
  plain(
    "POST /api/v1/trust/generate",
    "identity_preview.read",
    "here",
    200,
    () => "/api/v1/trust/generate",
    () => ({ cloud: "aws", project_id: world.projectId, refs: ["refs/heads/main"] }),
  ),
  plain(
    "POST /api/v1/trust/lint",
    "organization.read",
    "own",
    200,
    () => "/api/v1/trust/lint",
    () => ({ cloud: "azure", policy: azureCredential }),
  ),
  plain(
    "POST /api/v1/trust/explain",
    "identity_preview.read",
    "here",
    200,
    () => "/api/v1/trust/explain",
    () => ({ cloud: "azure", policy: azureCredential, token: { job_id: jobId } }),
  ),
  plain("GET /api/v1/projects/:project_id/identity/ledger", "identity_ledger.read", "here", 200, () =>
    project("/identity/ledger"),
  ),
  plain("GET /api/v1/signing-keys", "signing_key.read", "organization", 200, () => "/api/v1/signing-keys"),
  plain(
    "POST /api/v1/signing-keys/compromised",
    "signing_key.compromised",
    "organization",
    200,
    () => "/api/v1/signing-keys/compromised",
    () => ({ kid: "one that no slot holds" }),
  ),
  plain("GET /api/v1/sealing", "sealing.read", "organization", 200, () => "/api/v1/sealing"),
  plain(
    "POST /api/v1/sealing/escrows",
    "sealing.rotate",
    "organization",
    422,
    () => "/api/v1/sealing/escrows",
    () => ({ key_id: "00".repeat(8), how: "shown" }),
  ),
  plain(
    "POST /api/v1/sealing/begin",
    "sealing.rotate",
    "organization",
    409,
    () => "/api/v1/sealing/begin",
    () => ({ from: "00".repeat(8), to: "11".repeat(8) }),
  ),
  plain(
    "POST /api/v1/sealing/switch",
    "sealing.rotate",
    "organization",
    422,
    () => "/api/v1/sealing/switch",
    () => ({ from: "00".repeat(8), to: "11".repeat(8) }),
  ),
  plain(
    "POST /api/v1/sealing/reseal",
    "sealing.rotate",
    "organization",
    200,
    () => "/api/v1/sealing/reseal",
    () => ({ after: null }),
  ),
  plain(
    "POST /api/v1/sealing/verify",
    "sealing.read",
    "organization",
    200,
    () => "/api/v1/sealing/verify",
    () => ({ after: null }),
  ),
  plain("GET /api/v1/logs/:job_id", "log.read", "here", 200, () => `/api/v1/logs/${jobId}`),
  plain("GET /api/v1/logs/:job_id/text", "log.read", "here", 200, () => `/api/v1/logs/${jobId}/text`),
  plain("GET /api/v1/logs/:job_id/summary", "log.read", "here", 200, () => `/api/v1/logs/${jobId}/summary`),
  plain("GET /api/v1/logs/:job_id/line", "log.read", "here", 200, () => `/api/v1/logs/${jobId}/line?at=1`),
  plain("GET /api/v1/logs/:job_id/search", "log.read", "here", 200, () => `/api/v1/logs/${jobId}/search?q=hi`),
  plain("GET /api/v1/logs/:job_id/events", "log.read", "here", 200, () => `/api/v1/logs/${jobId}/events`),
  plain("GET /api/v1/logs/:job_id/event", "log.read", "here", 200, () => `/api/v1/logs/${jobId}/event?at=0`),
  plain(
    "POST /api/v1/socket-tickets",
    "log.read",
    "here",
    201,
    () => "/api/v1/socket-tickets",
    () => ({ purpose: "job", job_id: jobId }),
  ),
  {
    route: "GET /api/ws",
    action: "log.read",
    scope: "here",
    success: 101,
    ask: ({ token }) => upgrade(harness, token, jobId),
  },
];

/** Routes that admit by other than a person's role: to everybody the same, but for having no credential at all. */
const others: { route: string; none: number; any: number; path: () => string; body?: () => unknown }[] = [
  { route: "GET /", none: 200, any: 200, path: () => "/" },
  { route: "GET /api/health", none: 200, any: 200, path: () => "/api/health" },
  ...["openid-configuration", "jwks.json", "jwks", "jwts"].map((name) => ({
    route: `GET /.well-known/${name}`,
    none: 200,
    any: 200,
    path: () => `/.well-known/${name}`,
  })),
  {
    route: "POST /api/v1/bootstrap",
    none: 401,
    any: 401,
    path: () => "/api/v1/bootstrap",
    body: () => ({ bootstrap_token: "wrong", organization: "acme" }),
  },
  {
    route: "POST /api/v1/identity/introspect",
    none: 200,
    any: 200,
    path: () => "/api/v1/identity/introspect",
    body: () => ({ token: "none at all" }),
  },
  ...["GET", "POST"].map((method) => ({
    route: `${method} /api/v1/jobs/:job_id/identity/token`,
    none: 401,
    any: 401,
    path: () => `/api/v1/jobs/${jobId}/identity/token`,
    ...(method === "POST" && { body: () => ({}) }),
  })),
  {
    route: "POST /api/v1/logs/:job_id",
    none: 401,
    any: 401,
    path: () => `/api/v1/logs/${jobId}?start_from=0`,
    body: () => '{"event":"job_started","timestamp":1}\n',
  },
  {
    route: "POST /api/v1/self_hosted_agents/register",
    none: 401,
    any: 404,
    path: () => "/api/v1/self_hosted_agents/register",
    body: () => registration(unique()),
  },
  {
    route: "POST /api/v1/self_hosted_agents/sync",
    none: 401,
    any: 404,
    path: () => "/api/v1/self_hosted_agents/sync",
    body: () => ({ state: "waiting-for-jobs", job_id: "", job_result: "", interrupted_at: 0 }),
  },
  {
    route: "GET /api/v1/self_hosted_agents/jobs/:job_id",
    none: 401,
    any: 404,
    path: () => `/api/v1/self_hosted_agents/jobs/${jobId}`,
  },
  ...["refresh", "disconnect"].map((name) => ({
    route: `POST /api/v1/self_hosted_agents/${name}`,
    none: 401,
    any: 404,
    path: () => `/api/v1/self_hosted_agents/${name}`,
  })),
];

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
    const covered = new Set([...cases, ...others].map(({ route }) => route));
    expect([...covered].toSorted()).toEqual([...new Set(routes)].toSorted());
    expect(routes.length).toBe(new Set(routes).size);
    const asked = new Set(cases.map(({ action }) => action));
    expect(Object.keys(permissions).filter((action) => !asked.has(action as Action))).toEqual([]);
  });

  it.each(cases.map((each) => [`${each.route} (${each.action} in ${each.scope})`, each] as const))(
    "decides %s for everybody",
    async (_, each) => {
      // Changes of one thing one after the other: what they do to each other is another test's matter.
      const answers: Answer[] = [];
      if (each.action === "project.change") for (const asker of askers) answers.push(await each.ask(asker));
      else answers.push(...(await Promise.all(askers.map((asker) => each.ask(asker)))));
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

  it.each(others.map((each) => [each.route, each] as const))("has no say over %s", async (_, each) => {
    const method = each.route.split(" ")[0] ?? "";
    for (const asker of askers) {
      const { status } = await world.as(asker.token, method, each.path(), each.body?.());
      expect([asker.name, status]).toEqual([asker.name, asker.token === null ? each.none : each.any]);
    }
  });
});

describe("what one may not know of", () => {
  it("answers, byte for byte but for the request id, as what does not exist", async () => {
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
