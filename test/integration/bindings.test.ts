/** Bindings that are missing, malformed or another's: named by what needs them, never quoted, and nothing else falls. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  addKey,
  call,
  createWorld,
  envOf,
  fetchJob,
  finishJob,
  jobStart,
  jobWithKeys,
  output,
  push,
  sync,
  takeJob,
  type World,
} from "../support/api.ts";
import { rowCounts } from "../support/at-rest.ts";
import {
  defaultVars,
  type Harness,
  newSealingKey,
  newSigningKey,
  startHarness,
  type Vars,
} from "../support/harness.ts";

let harness: Harness;
let world: World;
let agent: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
  await addKey(world, "stored", { type: "string", value: "stored-before" });
});
afterAll(() => harness.close());

const health = () => call(harness, null, "GET", "/api/health");

const jwks = () => call(harness, null, "GET", "/.well-known/jwks.json");

const projectPath = (tail: string) => `/api/v1/projects/${world.projectId}${tail}`;

const createKey = (name: string) =>
  world.as(world.owner, "POST", projectPath("/keys"), { name, secret: { type: "string", value: "canary-secret" } });

function expectUnusable(answer: Answer, binding: string): void {
  expect([answer.status, answer.body.code]).toEqual([503, "binding_unusable"]);
  expect(answer.body.detail).toContain(binding);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
}

/** Long enough pieces of a value to know it by: none may turn up anywhere. */
function piecesOf(value: string): string[] {
  const pieces = [value, ...(value.match(/.{12}/g) ?? [])];
  return pieces.filter((piece) => piece.length >= 12);
}

/** Asks for everything that may speak of bindings, and holds that nothing of them is said or logged. */
async function expectNothingQuoted(vars: Vars): Promise<void> {
  const answers = [await health(), await jwks(), await createKey("quoted")];
  const text = answers.map((answer) => answer.text).join("\n") + harness.logs();
  for (const [name, value] of Object.entries(vars)) {
    if (value === undefined || name === "ISSUER" || name === "SETTINGS") continue;
    for (const piece of piecesOf(value)) expect([name, text.includes(piece)]).toEqual([name, false]);
  }
}

const sealingFaults: [string, string | undefined, string][] = [
  ["is missing", undefined, "is not set"],
  ["holds 16 bytes", Buffer.alloc(16, 7).toString("base64"), "16 bytes"],
  ["is no base64", "canary-not-base64-at-all!", "base64"],
];

describe("a sealing key that", () => {
  afterAll(() => harness.deploy({}));

  it.each(sealingFaults)(
    "%s is named by health and all that needs it; what needs none answers",
    async (_, value, said) => {
      await harness.deploy({ ACCESS_KEY_ENCRYPTION: value });
      const before = await rowCounts(harness);
      expectUnusable(await createKey("x"), "ACCESS_KEY_ENCRYPTION");
      expectUnusable(await world.as(world.owner, "POST", projectPath("/jobs"), jobStart()), "ACCESS_KEY_ENCRYPTION");
      expect(await rowCounts(harness)).toEqual(before);
      const answer = await health();
      expect([answer.status, answer.body.status]).toEqual([200, "degraded"]);
      expect(answer.body.problems).toEqual([
        { binding: "ACCESS_KEY_ENCRYPTION", detail: expect.stringContaining(said) },
      ]);
      expect((await jwks()).status).toBe(200);
      expect((await world.as(world.owner, "GET", projectPath("/keys"))).status).toBe(200);
      expect((await world.as(world.owner, "GET", "/api/v1/whoami")).status).toBe(200);
      await expectNothingQuoted({ ACCESS_KEY_ENCRYPTION: value });
    },
  );
});

describe("a sealing key that is another's", () => {
  const other = newSealingKey();

  it("neither seals, hands over nor takes logs, and is named; the right one goes on where this one stopped", async () => {
    const waiting = await world.agent();
    await world.startJob(jobWithKeys("stored"));
    const { jobId: running, logToken } = await takeJob(world, agent);
    await sync(world, agent, "running-job", running);
    const claimed = await world.startJob(jobWithKeys("stored"));
    await sync(world, waiting, "waiting-for-jobs");
    const events = [output("first stored-before\n")];

    await harness.deploy({ ACCESS_KEY_ENCRYPTION: other });
    const before = await rowCounts(harness);
    expectUnusable(await createKey("x"), "ACCESS_KEY_ENCRYPTION");
    expectUnusable(await fetchJob(world, waiting, claimed), "ACCESS_KEY_ENCRYPTION");
    expectUnusable(await world.as(agent, "POST", "/api/v1/self_hosted_agents/refresh"), "ACCESS_KEY_ENCRYPTION");
    // 401 and 503 make the agent try again; 422 would end its log.
    expect([401, 503]).toContain((await push(world, logToken, running, 0, events)).status);
    expect(await rowCounts(harness)).toEqual(before);
    expect((await jwks()).status).toBe(200);
    await expectNothingQuoted({ ACCESS_KEY_ENCRYPTION: other });

    await harness.deploy({});
    const fetched = await fetchJob(world, waiting, claimed);
    expect(envOf(fetched.body, "STORED")).toBe("stored-before");
    await finishJob(world, waiting, claimed);
    expect((await push(world, logToken, running, 0, events)).status).toBe(200);
    const { body } = await world.as(world.owner, "GET", `/api/v1/logs/${running}`);
    expect(body.events).toEqual([output("first ***\n")]);
    await finishJob(world, agent, running);
  });
});

describe("the second sealing slot", () => {
  afterAll(() => harness.deploy({}));

  it("that is malformed is named and does not take down a good first one", async () => {
    const vars = { ACCESS_KEY_ENCRYPTION_2: "canary-malformed-second" };
    await harness.deploy(vars);
    expect((await createKey("beside-a-bad-second")).status).toBe(201);
    const { body } = await health();
    expect(body.problems.map(({ binding }: { binding: string }) => binding)).toEqual(["ACCESS_KEY_ENCRYPTION_2"]);
    await expectNothingQuoted(vars);
  });

  it("is of equal rank: it seals and opens alone, or beside a malformed first one", async () => {
    const key = defaultVars.ACCESS_KEY_ENCRYPTION;
    for (const [at, first] of ["malformed", newSealingKey()].entries()) {
      await harness.deploy({ ACCESS_KEY_ENCRYPTION: first, ACCESS_KEY_ENCRYPTION_2: key });
      expect((await createKey(`by-the-second-${at}`)).status).toBe(201);
      await world.startJob(jobWithKeys("stored"));
      const { jobId, request } = await takeJob(world, agent);
      expect(envOf(request, "STORED")).toBe("stored-before");
      await finishJob(world, agent, jobId);
    }
  });
});

const good = JSON.parse(defaultVars.SIGNING_KEY_1);
const signingFaults: [string, () => string | undefined][] = [
  ["is missing", () => undefined],
  ["is no JSON", () => "canary-no-json-at-all"],
  ["has another key's modulus", () => JSON.stringify({ ...JSON.parse(newSigningKey()), n: good.n })],
];

describe("a signing key that", () => {
  let jobId: string;

  beforeAll(async () => {
    jobId = await world.startJob(jobWithKeys("stored"));
    await sync(world, agent, "waiting-for-jobs");
  });

  it.each(signingFaults)(
    "%s is named by health, the key set and the hand-over; keys are still sealed",
    async (what, make) => {
      const value = make();
      await harness.deploy({ SIGNING_KEY_1: value });
      const { body } = await health();
      expect(body.problems.map(({ binding }: { binding: string }) => binding)).toEqual(["SIGNING_KEY_1"]);
      expectUnusable(await jwks(), "SIGNING_KEY_1");
      expect((await jwks()).headers.get("cache-control")).toBe("no-store");
      const before = await rowCounts(harness);
      expectUnusable(await fetchJob(world, agent, jobId), "SIGNING_KEY_1");
      expect(await rowCounts(harness)).toEqual(before);
      expect((await createKey(`sealed-while-it-${what.replaceAll(/[^a-z]/g, "-")}`)).status).toBe(201);
      expect((await call(harness, null, "GET", "/.well-known/openid-configuration")).status).toBe(200);
      // Of a JWK the public members are published; its private exponent must be nowhere.
      await expectNothingQuoted({ SIGNING_KEY_1: value?.startsWith("{") ? JSON.parse(value).d : value });
    },
  );

  it("is mended lets the same agent fetch the same job", async () => {
    await harness.deploy({});
    expect((await fetchJob(world, agent, jobId)).status).toBe(200);
    await finishJob(world, agent, jobId);
  });
});

describe("the second signing slot", () => {
  afterAll(() => harness.deploy({}));

  it("that is malformed is named and does not take down a good first one; nor the other way round", async () => {
    const key = defaultVars.SIGNING_KEY_1;
    for (const [one, two, named] of [
      [key, "canary-malformed-slot", "SIGNING_KEY_2"],
      ["canary-malformed-slot", key, "SIGNING_KEY_1"],
    ] as const) {
      await harness.deploy({ SIGNING_KEY_1: one, SIGNING_KEY_2: two });
      const { body } = await health();
      expect(body.problems.map(({ binding }: { binding: string }) => binding)).toEqual([named]);
      expect((await jwks()).body.keys).toHaveLength(1);
      await world.startJob();
      const { jobId, request } = await takeJob(world, agent);
      expect(envOf(request, "SEMAPHORE_OIDC_TOKEN")).toMatch(/^eyJ/);
      await finishJob(world, agent, jobId);
      await expectNothingQuoted({ SIGNING_KEY_1: "canary-malformed-slot" });
    }
  });

  it("that holds the first one's key again publishes it once", async () => {
    await harness.deploy({ SIGNING_KEY_2: defaultVars.SIGNING_KEY_1 });
    expect((await jwks()).body.keys).toHaveLength(1);
    expect((await health()).body).toEqual({ status: "ok", problems: [] });
  });
});

describe("an ISSUER that is none", () => {
  it.each([
    ["", "is not set"],
    ["https://ci.example.com/", "origin"],
  ])("(%j) is named by everything, health says why, and nothing else is served", async (ISSUER, said) => {
    await harness.deploy({ ISSUER });
    const answer = await health();
    expect(answer.status).toBe(200);
    expect(answer.body.problems).toEqual([{ binding: "ISSUER", detail: expect.stringContaining(said) }]);
    for (const path of ["/.well-known/openid-configuration", "/.well-known/jwks.json", "/api/v1/projects"]) {
      expectUnusable(await world.as(world.owner, "GET", path), "ISSUER");
    }
  });
});

describe("SETTINGS that do not fit", () => {
  it.each(['{"agent_lost_seconds":0}'])("(%j) are named, and the defaults hold", async (SETTINGS) => {
    await harness.deploy({ SETTINGS });
    const { body } = await health();
    expect(body.problems.map(({ binding }: { binding: string }) => binding)).toEqual(["SETTINGS"]);
    expect((await sync(world, agent, "waiting-for-jobs")).body.next_sync_after).toBe(1000);
  });
});
