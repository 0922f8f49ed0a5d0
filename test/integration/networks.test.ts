/** Allowed networks: who is kept out, by which list, what stays open, and the way back in. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Answer,
  addProject,
  call,
  comparable,
  createWorld,
  envOf,
  output,
  registration,
  takeJob,
  type World,
} from "../support/api.ts";
import { type Harness, issuer, startHarness } from "../support/harness.ts";
import { upgrade } from "../support/raw-request.ts";

const inside = "192.0.2.10";
const outside = "203.0.113.9";
const list = ["192.0.2.0/24", "2001:db8::/32"];

let harness: Harness;
let world: World;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
});
afterAll(() => harness.close());
beforeEach(async () => {
  const cleared = await set({ people: null, agents: null, viewers: null, force: true });
  expect(cleared.status).toBe(200);
});

/** As Cloudflare's edge hands a request on that came from this address. */
function from(
  address: string | null,
  token: string | null,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const told: Record<string, string> = address === null ? {} : { "cf-connecting-ip": address };
  return call(harness, token, method, `${issuer}${path}`, body, { ...told, ...headers });
}

const set = (body: unknown, address: string | null = inside, headers: Record<string, string> = {}) =>
  from(address, world.owner, "PATCH", "/api/v1/networks", body, headers);
const whoami = (address: string | null, headers: Record<string, string> = {}) =>
  from(address, world.owner, "GET", "/api/v1/whoami", undefined, headers);
const socket = (address: string, jobId: string, token = world.owner) =>
  upgrade(harness, token, jobId, { "cf-connecting-ip": address });

function expectShutOut(answer: Answer, comer: string): void {
  expect([answer.status, answer.body.code]).toEqual([403, "forbidden"]);
  expect(answer.body.detail).toContain(`networks that ${comer} may come from`);
}

describe("people", () => {
  it("are kept to their list, whatever other headers claim", async () => {
    expect((await set({ people: list })).body).toMatchObject({ people: list, agents: null, viewers: null });
    expect((await whoami(inside)).status).toBe(200);
    expect((await whoami("2001:db8::7")).status).toBe(200);
    expect((await whoami(`::ffff:${inside}`)).status).toBe(200);
    for (const address of [outside, "2001:db9::7", "not an address"]) expectShutOut(await whoami(address), "people");
    const forged = { "x-forwarded-for": inside, "x-real-ip": inside, forwarded: `for=${inside}` };
    expectShutOut(await whoami(outside, forged), "people");
  });

  it("without a valid credential hear of that alone", async () => {
    await set({ people: list });
    const [near, far] = await Promise.all(
      [inside, outside].map((address) => from(address, "garbage", "GET", "/api/v1/whoami")),
    );
    expect([near?.status, far?.status]).toEqual([401, 401]);
    expect(near && far && comparable(near) === comparable(far)).toBe(true);
  });

  it("are refused before anything is read of their body", async () => {
    await set({ people: list });
    expectShutOut(await from(outside, world.owner, "POST", "/api/v1/projects", "{"), "people");
  });

  it("are no concern of the public documents, health and agents", async () => {
    await set({ people: list });
    for (const path of ["/", "/api/health", "/.well-known/openid-configuration", "/.well-known/jwks.json"]) {
      expect([path, (await from(outside, null, "GET", path)).status]).toEqual([path, 200]);
    }
  });
});

describe("agents", () => {
  const base = "/api/v1/self_hosted_agents";
  const waiting = { state: "waiting-for-jobs", job_id: "", job_result: "", interrupted_at: 0 };

  it("outside of their list neither register, sync, push nor take a job, and people are not concerned", async () => {
    const agent = await world.agent();
    await world.startJob();
    const { jobId, logToken } = await takeJob(world, agent);
    const types = `/api/v1/agent-types/${world.agentTypeId}/registration-tokens`;
    const { token } = (await world.as(world.owner, "POST", types, {})).body;
    await set({ agents: list });
    const line = `${JSON.stringify(output("hi"))}\n`;
    const asked: [string, string, string, unknown?][] = [
      [token, "POST", `${base}/register`, registration("far-away")],
      [agent, "POST", `${base}/sync`, waiting],
      [agent, "GET", `${base}/jobs/${jobId}`],
      [agent, "POST", `${base}/refresh`],
      [agent, "POST", `${base}/disconnect`],
      [logToken, "POST", `/api/v1/logs/${jobId}?start_from=0`, line],
    ];
    for (const [credential, method, path, body] of asked) {
      expectShutOut(await from(outside, credential, method, path, body), "agents");
    }
    expect((await from(outside, world.owner, "GET", "/api/v1/whoami")).status).toBe(200);
    // Nothing was half done: inside all goes on, the registration token has its one use left.
    expect((await from(inside, logToken, "POST", `/api/v1/logs/${jobId}?start_from=0`, line)).status).toBe(200);
    expect((await from(inside, token, "POST", `${base}/register`, registration("far-away"))).status).toBe(201);
    expect((await from(inside, agent, "POST", `${base}/disconnect`)).status).toBe(200);
  });

  it("with no valid credential hear from outside what they hear from inside", async () => {
    await set({ agents: list });
    const unknown = ["garbage", `sbx_agt_${"A".repeat(43)}`, `sbx_reg_${"A".repeat(43)}`];
    for (const credential of unknown) {
      const [near, far] = [
        await from(inside, credential, "POST", `${base}/sync`, waiting),
        await from(outside, credential, "POST", `${base}/sync`, waiting),
      ];
      expect([near.status, comparable(near)]).toEqual([404, comparable(far)]);
    }
  });

  it("and the tokens that their jobs ask for", async () => {
    const agent = await world.agent();
    await world.startJob();
    const { jobId, request } = await takeJob(world, agent);
    const credential = envOf(request, "SEMAPHORE_OIDC_REQUEST_TOKEN") ?? "";
    expect(credential).not.toBe("");
    await set({ agents: list });
    const path = `/api/v1/jobs/${jobId}/identity/token`;
    expectShutOut(await from(outside, credential, "POST", path, { audience: "vault" }), "agents");
    expectShutOut(await from(outside, credential, "GET", `${path}?audience=vault`), "agents");
    const inner = await from(inside, credential, "POST", path, { audience: "vault" });
    expect(inner.body.detail ?? "").not.toContain("networks");
  });
});

describe("viewers", () => {
  it("are kept to their own list, for a header and for a ticket", async () => {
    const jobId = await world.startJob();
    await set({ viewers: list });
    expectShutOut(await socket(outside, jobId), "viewers");
    expect((await socket(inside, jobId)).status).toBe(101);
    const made = await from(outside, world.owner, "POST", "/api/v1/socket-tickets", { purpose: "job", job_id: jobId });
    expect(made.status).toBe(201);
    const far = await upgrade(harness, null, jobId, {
      "cf-connecting-ip": outside,
      "sec-websocket-protocol": `signalbox.v1, signalbox.ticket.${made.body.ticket}`,
    });
    expectShutOut(far, "viewers");
    expect((await socket(outside, jobId, "garbage")).status).toBe(401);
  });

  it("need not be where people are", async () => {
    const jobId = await world.startJob();
    await set({ people: list });
    expect((await socket(outside, jobId)).status).toBe(101);
  });
});

describe("a change", () => {
  it("names every range that is none, and stores nothing of it", async () => {
    const answer = await set({ people: list, agents: ["10.0.0.0/8", "10.0.0.0/64"], viewers: ["nowhere"] });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    const pointers = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
    expect(pointers).toEqual(["/agents/1", "/viewers/0"]);
    const shape = await set({ people: [7] });
    expect([shape.status, shape.body.errors[0].pointer]).toEqual([400, "/people/0"]);
    expect((await set({ people: [] })).status).toBe(400);
    expect((await set({})).status).toBe(400);
    expect((await from(inside, world.owner, "GET", "/api/v1/networks")).body).toMatchObject({ people: null });
  });

  it("that would shut out its author is refused unless it is forced", async () => {
    const answer = await set({ people: list }, outside);
    expect([answer.status, answer.body.code]).toEqual([422, "refused"]);
    expect(answer.body.errors[0].pointer).toBe("/people");
    expect(answer.body.detail).toContain(outside);
    expect((await whoami(outside)).status).toBe(200);
    expect((await set({ people: list, force: true }, outside)).status).toBe(200);
    expectShutOut(await whoami(outside), "people");
  });

  it("on top of another revision than the one that was read is refused", async () => {
    const { revision } = (await from(inside, world.owner, "GET", "/api/v1/networks")).body;
    const first = await set({ agents: list }, inside, { "if-match": `"${revision}"` });
    expect([first.status, first.body.revision]).toEqual([200, revision + 1]);
    const late = await set({ agents: null }, inside, { "if-match": `"${revision}"` });
    expect([late.status, late.body.code]).toEqual([412, "precondition_failed"]);
  });

  it("stands in the audit record", async () => {
    await set({ viewers: list });
    const { items } = (await from(inside, world.owner, "GET", "/api/v1/audit?limit=1")).body;
    expect(items[0].action).toBe("networks.change");
    expect(JSON.parse(items[0].details.lists)).toEqual({ people: null, agents: null, viewers: list });
  });

  it("takes an owner of the organization", async () => {
    const owner = await world.tokenOf("owner", await addProject(world, "of-another-owner"));
    expect((await from(inside, owner, "PATCH", "/api/v1/networks", { people: null })).status).toBe(403);
  });
});

describe("the way back in", () => {
  it("is a new BOOTSTRAP_TOKEN, from anywhere: it clears the lists, on the record; a used one clears nothing", async () => {
    await set({ people: list, agents: list });
    const value = "another-bootstrap-value";
    await harness.deploy({ BOOTSTRAP_TOKEN: value });
    const bootstrap = (bootstrap_token: string) =>
      from(outside, null, "POST", "/api/v1/bootstrap", { bootstrap_token, organization: "acme" });
    expect((await bootstrap("a-wrong-bootstrap-value")).status).toBe(401);
    expectShutOut(await whoami(outside), "people");
    const readmitted = await bootstrap(value);
    expect(readmitted.status).toBe(201);
    expect((await whoami(outside)).status).toBe(200);
    const { items } = (await from(outside, readmitted.body.token.token, "GET", "/api/v1/audit?limit=5")).body;
    expect(items.map(({ action }: { action: string }) => action)).toContain("networks.clear");
    await set({ people: list });
    expect((await bootstrap(value)).status).toBe(409);
    expectShutOut(await whoami(outside), "people");
  });
});

describe("under TRUST_PROXY", () => {
  it("no list is taken, with the reason; lists that stand hold, and can be taken away", async () => {
    await set({ agents: list });
    await harness.deploy({ TRUST_PROXY: "on" });
    const refused = await set({ people: list, force: true });
    expect([refused.status, refused.body.code, refused.body.errors[0].pointer]).toEqual([422, "refused", "/people"]);
    expect(refused.body.detail).toContain("forged");
    const agent = { "x-real-ip": outside };
    const answer = await from(inside, world.owner, "GET", "/api/v1/networks", undefined, agent);
    expect(answer.body.agents).toEqual(list);
    expect((await set({ agents: null })).status).toBe(200);
    await harness.deploy({});
  });
});
