/** Proofs that no forged address comes through a proxy: the Worker judges, once, and what it judged lapses. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { AddressTrial } from "../../src/protocol/address-proofs.ts";
import { call, createWorld, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { rawRequest } from "../support/raw-request.ts";

const day = 24 * 60 * 60 * 1000;
const vars = { ISSUER: "https://ci.example.test", TRUST_PROXY: "on" };
const address = "192.0.2.10";

let harness: Harness;
let world: World;

beforeAll(async () => {
  harness = await startHarness(vars);
  world = await createWorld(harness);
});
afterAll(() => harness.close());

const open = (token = world.owner) => world.as(token, "POST", "/api/v1/networks/proofs");
const judge = (id: string, token = world.owner) => world.as(token, "POST", `/api/v1/networks/proofs/${id}/judgement`);
const networks = async () => (await world.as(world.owner, "GET", "/api/v1/networks")).body;
const set = (agents: string[] | null) => world.as(world.owner, "PATCH", "/api/v1/networks", { agents });

/** As a proxy hands it on that says the client's address itself and drops whatever the client says; or passes some. */
function arrive({ method, path, upgrade, headers, token }: AddressTrial, passes: readonly string[] = []) {
  const passed = Object.entries(headers).filter(([name]) => passes.includes(name));
  const asUpgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
  const told = { "x-real-ip": address, ...Object.fromEntries(passed), authorization: `Bearer ${token}` };
  return rawRequest(harness, { method, path, headers: { ...told, ...(upgrade && asUpgrade) } });
}

async function arriveAll(trials: readonly AddressTrial[], passes?: readonly string[]): Promise<void> {
  for (const trial of trials) expect([trial.path, (await arrive(trial, passes)).status]).toEqual([trial.path, 204]);
}

async function prove(passes?: readonly string[]) {
  const { body } = await open();
  await arriveAll(body.trials, passes);
  return (await judge(body.id)).body;
}

it("covers every path and header that counts, each with an address and a credential of its own", async () => {
  const { trials, issuer } = (await open()).body as { trials: AddressTrial[]; issuer: string };
  expect(issuer).toBe(vars.ISSUER);
  const kinds = new Set(trials.map(({ path, upgrade }) => `${upgrade ? "upgrade" : "request"} ${path}`));
  for (const kind of ["upgrade /api/ws", "upgrade /api/ws/", "request /api/v1/whoami"]) expect(kinds).toContain(kind);
  const names = new Set(trials.flatMap(({ headers }) => Object.keys(headers)));
  for (const name of ["x-real-ip", "x-forwarded-for", "forwarded", "cf-connecting-ip", "mf-cf-blob"]) {
    expect(names).toContain(name);
  }
  const forged = trials.flatMap(({ headers }) => JSON.stringify(headers).match(/198\.1[89](\.\d+){2}/g) ?? []);
  expect(forged.length).toBe(trials.length - kinds.size);
  expect(new Set(forged).size).toBe(forged.length);
  expect(new Set(trials.map(({ token }) => token)).size).toBe(trials.length);
});

it("is proven where every request came from the one address, and then a list is taken", async () => {
  expect((await set([address])).body.detail).toContain("nothing has shown");
  expect(await prove()).toMatchObject({ verdict: "proven", address, problems: [] });
  const taken = await set([address]);
  expect([taken.status, taken.body.agents, taken.body.address_proof.holds]).toEqual([200, [address], true]);
  const { items } = (await world.as(world.owner, "GET", "/api/v1/audit?limit=2")).body;
  expect(items.map(({ action }: { action: string }) => action)).toEqual(["networks.change", "networks.prove"]);
  expect(items[1].details).toMatchObject({ verdict: "proven", address, issuer: vars.ISSUER });
});

it("is nobody's to claim: without the requests nothing is shown, and what was proven before stands", async () => {
  const { id, trials } = (await open()).body;
  await arriveAll(trials.slice(0, 3));
  const { verdict, problems } = (await judge(id)).body;
  expect([verdict, problems[0].detail]).toEqual(["incomplete", "did not arrive"]);
  expect((await networks()).address_proof).toMatchObject({ verdict: "proven", holds: true });
});

it("is judged once, by whoever opened it; each request is seen once, as what it is, and opens nothing", async () => {
  const { id, trials } = (await open()).body as { id: string; trials: AddressTrial[] };
  const other = await world.tokenOf("owner", null);
  expect((await judge(id, other)).status).toBe(404);
  const [first] = trials;
  const socket = trials.find(({ upgrade }) => upgrade);
  if (first === undefined || socket === undefined) throw new Error("no trials");
  // Its own credential is spent on being seen: the route behind the path is not reached.
  expect((await arrive(first)).text).toBe("");
  expect((await arrive(first)).status).toBe(401);
  expect((await arrive({ ...socket, upgrade: false })).status).toBe(401);
  expect((await arrive(socket)).status).toBe(204);
  expect((await arrive({ ...first, token: `sbx_prf_${"A".repeat(43)}` })).status).toBe(401);
  expect((await judge(id)).status).toBe(200);
  expect((await judge(id)).status).toBe(404);
  const late = trials.at(-1);
  expect(late && (await arrive(late)).status).toBe(401);
});

it("that was not judged in five minutes is no more", async () => {
  const { id, trials } = (await open()).body;
  await harness.db.prepare("UPDATE address_proofs SET opened_at = opened_at - 301000 WHERE id = ?").bind(id).run();
  expect((await arrive(trials[0])).status).toBe(401);
  expect((await judge(id)).status).toBe(404);
  // The next one sweeps it.
  await open();
  const left = await harness.db.prepare("SELECT count(*) AS n FROM address_trials WHERE proof_id = ?").bind(id).first();
  expect(left).toEqual({ n: 0 });
});

it("lapses after 30 days and under another issuer: lists that stand hold on, and no other is taken", async () => {
  await prove();
  expect((await set([address])).status).toBe(200);
  const shift = (by: number) =>
    harness.db.prepare("UPDATE address_proofs SET judged_at = judged_at + ?").bind(by).run();
  await shift(-30 * day + 60_000);
  expect((await set([address])).status).toBe(200);
  await shift(-120_000);
  expect((await set([address, "192.0.2.11"])).body.detail).toContain("no longer holds");
  expect(await networks()).toMatchObject({ agents: [address], address_proof: { holds: false } });
  await shift(30 * day);
  expect((await networks()).address_proof.holds).toBe(true);
  await harness.deploy({ ISSUER: "https://other.example.test" });
  expect((await networks()).address_proof).toMatchObject({ verdict: "proven", issuer: vars.ISSUER, holds: false });
  expect((await set(["192.0.2.11"])).status).toBe(422);
  expect((await set(null)).status).toBe(200);
  await harness.deploy({});
});

it("is disproven by one forged address that came through, and a list is taken no more until it is proven anew", async () => {
  await prove();
  const judged = await prove(["forwarded", "x-real-ip"]);
  expect(judged).toMatchObject({ verdict: "disproven", address: null, holds_until: null });
  const believed = judged.problems.map(({ forged }: { forged: string }) => forged);
  expect(new Set(believed)).toEqual(new Set(["X-Real-IP"]));
  expect((await set([address])).body.detail).toContain("a forged one came through");
  await prove();
  expect((await set([address])).status).toBe(200);
  await set(null);
});

it("is not to be had where the address is Cloudflare's word", async () => {
  await harness.deploy({ TRUST_PROXY: "off" });
  const answer = await call(harness, world.owner, "POST", `${vars.ISSUER}/api/v1/networks/proofs`);
  expect([answer.status, answer.body.code]).toEqual([422, "refused"]);
});
