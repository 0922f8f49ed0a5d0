/** Agent types and how agents come in: registration tokens with a use count and an end, repeated without harm. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addProject, comparable, createWorld, registration, sync, takeJob, type World } from "../support/api.ts";
import { dumpDatabase, rowCounts } from "../support/at-rest.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
});
afterAll(() => harness.close());

const createType = (body: object, token = world.owner) => world.as(token, "POST", "/api/v1/agent-types", body);

const tokensPath = (typeId: string) => `/api/v1/agent-types/${typeId}/registration-tokens`;

async function registrationToken(
  body: object = {},
  typeId = world.agentTypeId,
): Promise<{ id: string; token: string }> {
  const answer = await world.as(world.owner, "POST", tokensPath(typeId), body);
  expect(answer.status).toBe(201);
  return answer.body;
}

const register = (token: string, name: string, over: object = {}) =>
  world.as(token, "POST", "/api/v1/self_hosted_agents/register", { ...registration(name), ...over });

const newName = () => `agent-${randomUUID().slice(0, 8)}`;

describe("agent types", () => {
  it("take one project's protected refs and no forks unless more is said", async () => {
    const answer = await createType({ name: "defaults", policy: { project_ids: [world.projectId] } });
    expect(answer.status).toBe(201);
    expect(answer.body.policy).toEqual({ project_ids: [world.projectId], refs: "protected", forks: false });
    const shown = await world.as(world.owner, "GET", `/api/v1/agent-types/${answer.body.id}`);
    expect(shown.body).toEqual(answer.body);
  });

  it("of a name that is taken, and of a project that does not exist, are refused by field", async () => {
    const before = await rowCounts(harness);
    const policy = { project_ids: [world.projectId] };
    const taken = await createType({ name: "linux", policy });
    expect([taken.status, taken.body.errors[0].pointer]).toEqual([409, "/name"]);
    const nowhere = await createType({ name: "nowhere", policy: { project_ids: [randomUUID()] } });
    expect([nowhere.status, nowhere.body.errors[0].pointer]).toEqual([422, "/policy/project_ids"]);
    const none = await createType({ name: "none", policy: { project_ids: [] } });
    expect([none.status, none.body.errors[0].pointer]).toEqual([400, "/policy/project_ids"]);
    const badRefs = await createType({ name: "bad-refs", policy: { ...policy, refs: ["main"] } });
    expect([badRefs.status, badRefs.body.errors[0].pointer]).toEqual([400, "/policy/refs/0"]);
    expect(await rowCounts(harness)).toEqual(before);
  });

  it("are retried by client id", async () => {
    const body = { id: randomUUID(), name: "retried", policy: { project_ids: [world.projectId] } };
    const first = await createType(body);
    const second = await createType(body);
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body).toEqual(first.body);
    expect((await createType({ ...body, name: "retried-otherwise" })).status).toBe(409);
  });

  it("that serve several projects show each project's people their own alone", async () => {
    const other = await addProject(world, "shared-with");
    const policy = { project_ids: [world.projectId, other], refs: ["refs/heads/*"] };
    const made = await createType({ name: "shared", policy });
    const guest = await world.tokenOf("guest");
    const shown = await world.as(guest, "GET", `/api/v1/agent-types/${made.body.id}`);
    expect(shown.body.policy.project_ids).toEqual([world.projectId]);
    const listed = await world.as(guest, "GET", "/api/v1/agent-types?name=shared");
    expect(listed.body.items).toEqual([shown.body]);
    expect(listed.text).not.toContain(other);
  });

  it("that serve several projects take a manager of each to make or to let agents in", async () => {
    const other = await addProject(world, "also-served");
    const manager = await world.tokenOf("manager");
    const both = { project_ids: [world.projectId, other] };
    const refused = await createType({ name: "grab", policy: both }, manager);
    expect(refused.status).toBe(403);
    expect(refused.body.detail).toContain("manager");
    const { body: shared } = await createType({ name: "served-together", policy: both });
    expect((await world.as(manager, "POST", tokensPath(shared.id), {})).status).toBe(403);
    const own = await createType({ name: "own", policy: { project_ids: [world.projectId] } }, manager);
    expect(own.status).toBe(201);
    expect((await world.as(manager, "POST", tokensPath(own.body.id), {})).status).toBe(201);
  });

  it("of a project that one may not see look like none", async () => {
    const foreign = await world.tokenOf("manager", await addProject(world, "elsewhere"));
    for (const [method, tail] of [
      ["GET", ""],
      ["POST", "/registration-tokens"],
    ] as const) {
      const there = await world.as(
        foreign,
        method,
        `/api/v1/agent-types/${world.agentTypeId}${tail}`,
        method === "POST" ? {} : undefined,
      );
      const nowhere = await world.as(
        foreign,
        method,
        `/api/v1/agent-types/${randomUUID()}${tail}`,
        method === "POST" ? {} : undefined,
      );
      expect([there.status, comparable(there)]).toEqual([404, comparable(nowhere)]);
    }
    const listed = await world.as(foreign, "GET", "/api/v1/agent-types");
    expect(listed.body.items).toEqual([]);
  });
});

describe("registration tokens", () => {
  it("let in one agent within an hour unless more is said", async () => {
    const answer = await world.as(world.owner, "POST", tokensPath(world.agentTypeId), {});
    expect(answer.body.uses_left).toBe(1);
    expect(Date.parse(answer.body.expires_at) - Date.parse(answer.body.created_at)).toBe(3_600_000);
    expect((await register(answer.body.token, newName())).status).toBe(201);
    expect((await register(answer.body.token, newName())).status).toBe(404);
  });

  it("let in as many as their count, of however many at once, and no more", async () => {
    const { token, id } = await registrationToken({ uses: 3 });
    const answers = await Promise.all(Array.from({ length: 12 }, () => register(token, newName())));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 201, 201, ...Array<number>(9).fill(404)]);
    const agents = await harness.db
      .prepare("SELECT count(*) AS n FROM agents WHERE registration_token_id = ?")
      .bind(id)
      .first("n");
    expect(agents).toBe(3);
    const left = await harness.db
      .prepare("SELECT uses_left FROM registration_tokens WHERE id = ?")
      .bind(id)
      .first("uses_left");
    expect(left).toBe(0);
  });

  it("without a count let in any number", async () => {
    const { token } = await registrationToken({ uses: null, expires_in_seconds: null });
    const answers = await Promise.all(Array.from({ length: 5 }, () => register(token, newName())));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
  });

  it("that are unknown, expired, used up and of another kind get the same answer", async () => {
    const expired = await registrationToken({ uses: 5 });
    await harness.db
      .prepare("UPDATE registration_tokens SET expires_at = ? WHERE id = ?")
      .bind(Date.now(), expired.id)
      .run();
    const used = await registrationToken();
    expect((await register(used.token, newName())).status).toBe(201);
    const unknown = `sbx_reg_${"A".repeat(43)}`;
    const tokens = [expired.token, used.token, unknown, "garbage", world.owner];
    const answers = await Promise.all(tokens.map((token) => register(token, newName())));
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    expect(new Set(answers.map(comparable)).size).toBe(1);
  });

  it("are shown once, are in no table and in no log, and are retried by client id", async () => {
    const body = { id: randomUUID(), uses: 2 };
    const first = await world.as(world.owner, "POST", tokensPath(world.agentTypeId), body);
    const second = await world.as(world.owner, "POST", tokensPath(world.agentTypeId), body);
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body).toEqual({ ...first.body, token: undefined });
    expect((await world.as(world.owner, "POST", tokensPath(world.agentTypeId), { ...body, uses: 3 })).status).toBe(409);
    const access = (await register(first.body.token, newName())).body.token;
    const shown = (await dumpDatabase(harness)) + harness.logs();
    for (const token of [first.body.token, access]) expect(shown).not.toContain(token.slice(8));
  });

  it("end with the token that made them: not after it expires, and when it is revoked", async () => {
    const body = { name: "maker", role: "manager", project_id: world.projectId, expires_in_seconds: 600 };
    const { body: maker } = await world.as(world.owner, "POST", "/api/v1/tokens", body);
    for (const expires_in_seconds of [3600, null]) {
      const made = await world.as(maker.token, "POST", tokensPath(world.agentTypeId), { uses: 5, expires_in_seconds });
      expect(Date.parse(made.body.expires_at)).toBeLessThanOrEqual(Date.parse(maker.expires_at));
    }
    const { body: made } = await world.as(maker.token, "POST", tokensPath(world.agentTypeId), { uses: 5 });
    expect((await register(made.token, newName())).status).toBe(201);
    await world.as(world.owner, "DELETE", `/api/v1/tokens/${maker.id}`);
    expect((await register(made.token, newName())).status).toBe(404);
  });

  it("for any number of agents and for ever are on the record", async () => {
    const { id } = await registrationToken({ uses: null, expires_in_seconds: null });
    const { body } = await world.as(world.owner, "GET", "/api/v1/audit?limit=1");
    expect(body.items[0]).toMatchObject({
      action: "registration_token.create",
      details: { registration_token_id: id, uses: null, expires_at: null },
    });
  });
});

describe("a repeated registration", () => {
  it("of an agent that never synced does not count, and replaces its lost token", async () => {
    const { token } = await registrationToken();
    const name = newName();
    const first = await register(token, name);
    const second = await register(token, name);
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body.name).toBe(name);
    expect((await sync(world, first.body.token, "waiting-for-jobs")).status).toBe(404);
    expect((await sync(world, second.body.token, "waiting-for-jobs")).status).toBe(200);
    const rows = await harness.db.prepare("SELECT count(*) AS n FROM agents WHERE name = ?").bind(name).first("n");
    expect(rows).toBe(1);
  });

  it("is refused once the agent has synced: a used token does not take its place", async () => {
    const { token } = await registrationToken();
    const name = newName();
    const { token: access } = (await register(token, name)).body;
    await sync(world, access, "waiting-for-jobs");
    expect((await register(token, name)).status).toBe(404);
    expect((await sync(world, access, "waiting-for-jobs")).status).toBe(200);
  });

  it("is refused five minutes later", async () => {
    const { token } = await registrationToken();
    const name = newName();
    await register(token, name);
    const longAgo = Date.now() - 5 * 60_000 - 1000;
    await harness.db.prepare("UPDATE agents SET registered_at = ? WHERE name = ?").bind(longAgo, name).run();
    expect((await register(token, name)).status).toBe(404);
  });

  it("by another token cannot take over a connected agent's name", async () => {
    const name = newName();
    const { token: access } = (await register((await registrationToken()).token, name)).body;
    await sync(world, access, "waiting-for-jobs");
    const other = await registrationToken();
    const refused = await register(other.token, name);
    expect([refused.status, refused.body.errors[0].pointer]).toEqual([400, "/name"]);
    expect((await sync(world, access, "waiting-for-jobs")).status).toBe(200);
    // The refusal used nothing up; and the name is free once its agent has gone.
    expect((await world.as(access, "POST", "/api/v1/self_hosted_agents/disconnect")).status).toBe(200);
    expect((await register(other.token, name)).status).toBe(201);
  });
});

describe("agents", () => {
  it("are listed while they are connected, to those whose project they serve, without their tokens", async () => {
    const name = newName();
    const access = await world.agent(name);
    await sync(world, access, "waiting-for-jobs");
    const names = async (token: string) =>
      (await world.as(token, "GET", "/api/v1/agents?limit=1000")).body.items.map(
        (agent: { name: string }) => agent.name,
      );
    expect(await names(await world.tokenOf("guest"))).toContain(name);
    const foreign = await world.tokenOf("owner", await addProject(world, "sees-no-agents"));
    expect(await names(foreign)).toEqual([]);
    expect((await world.as(world.owner, "GET", "/api/v1/agents?limit=1000")).text).not.toContain(access.slice(8));
    await world.as(access, "POST", "/api/v1/self_hosted_agents/disconnect");
    expect(await names(world.owner)).not.toContain(name);
  });

  it("that a manager disconnects are gone at once: their job fails, their token is dead, their name free", async () => {
    const name = newName();
    const access = await world.agent(name);
    await world.startJob();
    const { jobId } = await takeJob(world, access);
    await sync(world, access, "running-job", jobId);
    const id = await harness.db.prepare("SELECT id FROM agents WHERE name = ?").bind(name).first<string>("id");
    const stranger = await world.tokenOf("owner", await addProject(world, "no-business"));
    const foreign = await world.as(stranger, "DELETE", `/api/v1/agents/${id}`);
    const missing = await world.as(stranger, "DELETE", `/api/v1/agents/${randomUUID()}`);
    expect([foreign.status, comparable(foreign)]).toEqual([404, comparable(missing)]);
    expect((await sync(world, access, "running-job", jobId)).status).toBe(200);

    const manager = await world.tokenOf("manager");
    expect((await world.as(manager, "DELETE", `/api/v1/agents/${id}`)).status).toBe(204);
    expect((await sync(world, access, "running-job", jobId)).status).toBe(404);
    const { body: job } = await world.as(world.owner, "GET", `/api/v1/jobs/${jobId}`);
    expect(job).toMatchObject({ state: "finished", result: "failed" });
    expect(job.reason).toContain("disconnected");
    const { body: audit } = await world.as(world.owner, "GET", "/api/v1/audit?limit=3");
    const row = audit.items.find((item: { action: string }) => item.action === "agent.disconnect");
    expect(row.principal.kind).toBe("token");
    expect((await register((await registrationToken()).token, name)).status).toBe(201);
  });

  it("that are silent for minutes are gone: their names are free, their jobs failed, their tokens void", async () => {
    const longAgo = Date.now() - 181_000;
    const silence = (name: string) =>
      harness.db.prepare("UPDATE agents SET last_sync_at = ? WHERE name = ?").bind(longAgo, name).run();
    const [idle, busy] = [newName(), newName()];
    const idleAccess = await world.agent(idle);
    await sync(world, idleAccess, "waiting-for-jobs");
    const busyAccess = await world.agent(busy);
    await world.startJob();
    const { jobId } = await takeJob(world, busyAccess);
    await sync(world, busyAccess, "running-job", jobId);
    await silence(idle);
    await silence(busy);
    for (const [name, access] of [
      [idle, idleAccess],
      [busy, busyAccess],
    ] as const) {
      const successor = await register((await registrationToken()).token, name);
      expect(successor.status).toBe(201);
      expect((await sync(world, access, "waiting-for-jobs")).status).toBe(404);
      expect((await sync(world, successor.body.token, "waiting-for-jobs")).body.action).toBe("continue");
    }
    const { body: job } = await world.as(world.owner, "GET", `/api/v1/jobs/${jobId}`);
    expect(job).toMatchObject({ state: "finished", result: "failed" });
    expect(job.reason).not.toBeNull();
  });
});
