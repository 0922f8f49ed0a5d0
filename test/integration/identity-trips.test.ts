/** What identity costs the database and the objects: trips of each request, counted at the bindings of the real Worker. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Answer, createWorld, envOf, fetchJob, finishJob, sync, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;
let agent: string;

beforeAll(async () => {
  harness = await startHarness({}, "test/integration/trips-worker/wrangler.toml");
  world = await createWorld(harness);
  agent = await world.agent();
});
afterAll(() => harness.close());

/** Of two in a row the one that cost less: every half minute an isolate reads networks and the sealing key anew. */
async function cheaper(ask: () => ReturnType<World["as"]>) {
  const [one, two] = [await ask(), await ask()];
  return tripsOf(one).length < tripsOf(two).length ? one : two;
}

const tripsOf = ({ headers }: Pick<Answer, "headers">): string[] => JSON.parse(headers.get("x-trips") ?? "null");

async function runningJob() {
  await world.startJob();
  const synced = await sync(world, agent, "waiting-for-jobs");
  const jobId: string = synced.body.job_id;
  const { body: request } = await fetchJob(world, agent, jobId);
  await sync(world, agent, "running-job", jobId);
  const { pathname, search } = new URL(envOf(request, "SEMAPHORE_OIDC_REQUEST_URL") ?? "");
  const token = envOf(request, "SEMAPHORE_OIDC_REQUEST_TOKEN") ?? "";
  return { jobId, token, path: `${pathname}${search}`, identity: envOf(request, "SEMAPHORE_OIDC_TOKEN") ?? "" };
}

it("a token asked for costs one read batch, one call of the job's room and one write batch", async () => {
  const { jobId, token, path } = await runningJob();
  const asks = [() => world.as(token, "GET", path), () => world.as(token, "POST", path, { claims: ["repo"] })];
  for (const ask of asks) {
    const answer = await cheaper(ask);
    expect([answer.status, tripsOf(answer)]).toEqual([200, ["read batch", "room", "write batch"]]);
  }
  await finishJob(world, agent, jobId);
  const ended = await cheaper(() => world.as(token, "GET", path));
  expect([ended.status, tripsOf(ended)]).toEqual([401, ["read batch"]]);
});

it("a request token that is forged, foreign or of another kind costs nothing at all", async () => {
  const { jobId, token, path, identity } = await runningJob();
  const middle = token.length >> 1;
  const forged = `${token.slice(0, middle)}${token[middle] === "A" ? "B" : "A"}${token.slice(middle + 1)}`;
  const foreign = path.replace(jobId, "01890000-0000-7000-8000-000000000000");
  const cases = [
    [forged, path],
    [token, foreign],
    [world.owner, path],
    [agent, path],
    [identity, path],
    ["", path],
  ] as const;
  for (const [credential, url] of cases) {
    for (const method of ["GET", "POST"]) {
      const answer = await world.as(credential, method, url, method === "POST" ? { audience: 7 } : undefined);
      expect([method, answer.status, tripsOf(answer)]).toEqual([method, 401, []]);
    }
  }
  await finishJob(world, agent, jobId);
});

it("a request for the public documents costs nothing, whatever comes with it", async () => {
  const names = ["openid-configuration", "jwks.json", "jwks", "jwts", "jwks.json?x=1"];
  const headers = { "if-none-match": "*", cookie: "a=b" };
  for (const path of names.map((name) => `/.well-known/${name}`)) {
    for (const [credential, method] of [
      [null, "GET"],
      [world.owner, "GET"],
      [agent, "HEAD"],
      ["sbx_mac_x", "GET"],
      [null, "OPTIONS"],
      [null, "POST"],
    ] as const) {
      for (const more of [{}, headers]) {
        const answer = await world.as(credential, method, path, undefined, more);
        expect([method, path, tripsOf(answer)]).toEqual([method, path, []]);
      }
    }
  }
});

it("introspection of what we did not sign costs nothing, and of what we signed one read", async () => {
  const { jobId, identity } = await runningJob();
  const introspect = (token: string) => world.as(null, "POST", "/api/v1/identity/introspect", { token });
  const [header, payload, signature = ""] = identity.split(".");
  const forged = `${header}.${payload}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
  expect(tripsOf(await introspect(forged))).toEqual([]);
  expect(tripsOf(await introspect("a.b.c"))).toEqual([]);
  expect(tripsOf(await introspect(identity))).toEqual(["read"]);
  await finishJob(world, agent, jobId);
});
