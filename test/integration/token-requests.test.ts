/** Tokens that a running job asks for: what profiles allow, masked before they are answered, each in the ledger. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { securityClaims } from "../../src/protocol/identity.ts";
import { createWorld, envOf, finishJob, output, push, sync, takeJob, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;
let agent: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
});
afterAll(() => harness.close());

const profiles = () => `/api/v1/projects/${world.projectId}/identity-profiles`;
const payload = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

interface Running {
  readonly jobId: string;
  readonly logToken: string;
  readonly request: string;
  get(query: string): ReturnType<World["as"]>;
  post(body: unknown): ReturnType<World["as"]>;
}

async function runningJob(): Promise<Running> {
  await world.startJob();
  const { jobId, logToken, request: handed } = await takeJob(world, agent);
  await sync(world, agent, "running-job", jobId);
  const request = envOf(handed, "SEMAPHORE_OIDC_REQUEST_TOKEN") ?? "";
  const url = new URL(envOf(handed, "SEMAPHORE_OIDC_REQUEST_URL") ?? "");
  return {
    jobId,
    logToken,
    request,
    get: (query) => world.as(request, "GET", `${url.pathname}${url.search}${query}`),
    post: (body) => world.as(request, "POST", url.pathname, body),
  };
}

async function makeProfile(rules: object, name: string): Promise<string> {
  const made = await world.as(world.owner, "POST", profiles(), { name, rules });
  expect(made.status).toBe(201);
  return made.body.id;
}

describe("a running job", () => {
  it("asks as GitHub's toolkit does, and gets a token of the default audience without any profile", async () => {
    const job = await runningJob();
    const answer = await job.get("");
    expect(answer.status).toBe(200);
    expect(payload(answer.body.value)).toMatchObject({ aud: payload(answer.body.value).iss, job_id: job.jobId });
    expect((await job.get("&audience=vault")).status).toBe(403);
    await finishJob(world, agent, job.jobId);
  });

  it("gets the audience, life, form of subject and AWS tags that a profile allows, and is told what it does not", async () => {
    const rules = {
      audience: "sts.amazonaws.com",
      subject_forms: ["id"],
      lifetime_seconds_max: 900,
      aws_session_tags: ["repo", "branch"],
    };
    const id = await makeProfile(rules, "aws");
    const job = await runningJob();
    const asked = { audience: "sts.amazonaws.com", subject: "id", lifetime_seconds: 600, aws_session_tags: ["branch"] };
    const claims = payload((await job.post(asked)).body.value);
    expect(claims.aud).toBe("sts.amazonaws.com");
    expect(claims.sub).toMatch(/^org_id:[0-9a-f-]{36}:prj_id:[0-9a-f-]{36}$/);
    expect(claims.exp - claims.iat).toBe(600);
    expect(claims["https://aws.amazon.com/tags"]).toEqual({
      principal_tags: { branch: ["main"] },
      transitive_tag_keys: [],
    });
    const pointer = async (body: object) => {
      const { status, body: answer } = await job.post({ ...asked, ...body });
      return [status, answer.errors?.[0]?.pointer];
    };
    expect(await pointer({ subject: "semaphore" })).toEqual([403, "/subject"]);
    expect(await pointer({ lifetime_seconds: 901 })).toEqual([400, "/lifetime_seconds"]);
    expect(await pointer({ lifetime_seconds: 299 })).toEqual([400, "/lifetime_seconds"]);
    expect(await pointer({ aws_session_tags: ["sha"] })).toEqual([403, "/aws_session_tags"]);
    expect(await pointer({ aws_session_tags: ["nonsense"] })).toEqual([400, "/aws_session_tags/0"]);
    expect(await pointer({ audience: "" })).toEqual([400, "/audience"]);
    expect(await pointer({ audience: "x".repeat(257) })).toEqual([400, "/audience"]);
    expect((await world.as(world.owner, "DELETE", `${profiles()}/${id}`)).status).toBe(204);
    expect((await job.post(asked)).status).toBe(403);
    await finishJob(world, agent, job.jobId);
  });

  it("gets the claims that it chose among those of the profile, and always those that keep it safe", async () => {
    const id = await makeProfile({ audience: "few", claims: ["repo", "branch"] }, "few");
    const job = await runningJob();
    const carried = async (body: object) => Object.keys(payload((await job.post(body)).body.value)).toSorted();
    const always = [...securityClaims];
    expect(await carried({ audience: "few" })).toEqual([...always, "repo", "branch"].toSorted());
    expect(await carried({ audience: "few", claims: ["branch"] })).toEqual([...always, "branch"].toSorted());
    expect(await carried({ claims: [] })).toEqual(always.toSorted());
    const refused = await job.post({ audience: "few", claims: ["actor"] });
    expect([refused.status, refused.body.errors[0].pointer]).toEqual([403, "/claims"]);
    const unknown = await job.post({ audience: "few", claims: ["branch", "azp"] });
    expect([unknown.status, unknown.body.errors[0].pointer]).toEqual([400, "/claims/1"]);
    const rules = { audience: "x", claims: ["azp"] };
    const { status, body } = await world.as(world.owner, "POST", profiles(), { name: "x", rules });
    expect([status, body.errors[0].pointer]).toEqual([400, "/rules/claims/0"]);
    const bare = (await job.post({ claims: [] })).body.value;
    expect((await world.as(null, "POST", "/api/v1/identity/introspect", { token: bare })).body.active).toBe(true);
    await world.as(world.owner, "DELETE", `${profiles()}/${id}`);
    await finishJob(world, agent, job.jobId);
  });

  it("finds each of its tokens, and its request token, masked in its log, and in no row", async () => {
    const job = await runningJob();
    const token = (await job.get("")).body.value as string;
    await push(world, job.logToken, job.jobId, 0, [output(`first ${token}\n`), output(`asked with ${job.request}\n`)]);
    const second = (await job.get("")).body.value as string;
    expect(second).not.toBe(token);
    await push(world, job.logToken, job.jobId, 2, [output(`second ${second} and ${token}\n`)]);
    await finishJob(world, agent, job.jobId);
    const { text } = await world.as(world.owner, "GET", `/api/v1/logs/${job.jobId}?raw=true`);
    expect(text).toBe("first ***\nasked with ***\nsecond *** and ***\n");
  });

  it("has a ledger row and an audit row for each, and at most three hundred", async () => {
    const job = await runningJob();
    await job.get("");
    const ledger = (await world.as(world.owner, "GET", `/api/v1/jobs/${job.jobId}/identity`)).body.items;
    expect(ledger).toHaveLength(2);
    const audit = (await world.as(world.owner, "GET", `/api/v1/audit?job_id=${job.jobId}`)).body.items;
    expect(audit.filter(({ action }: { action: string }) => action === "identity.mint")).toHaveLength(2);
    const row = ledger[1];
    const insert = `INSERT INTO identity_ledger (jti, job_id, claim_number, agent_id, is_default, kid, aud, sub, issued_at,
      expires_at) SELECT 'filler-' || value, ?, 1, ?, 0, ?, 'a', 's', 0, 1 FROM json_each(?)`;
    const fillers = JSON.stringify(Array.from({ length: 297 }, (_, at) => at));
    await harness.db.prepare(insert).bind(job.jobId, row.agent_id, row.kid, fillers).run();
    const statuses = (await Promise.all(Array.from({ length: 4 }, () => job.get("")))).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([200, 429, 429, 429]);
    const masks = await harness.roomRows(job.jobId, "SELECT count(*) AS n FROM masks WHERE is_asked = 1");
    expect(masks).toEqual([{ n: expect.any(Number) }]);
    await finishJob(world, agent, job.jobId);
  });
});

describe("a request token", () => {
  it("that is forged, another job's, of another kind, or whose job has ended is refused alike", async () => {
    const job = await runningJob();
    const path = `/api/v1/jobs/${job.jobId}/identity/token?v=1`;
    const flipped = job.request.endsWith("A") ? `${job.request.slice(0, -1)}E` : `${job.request.slice(0, -1)}A`;
    const other = "01890000-0000-7000-8000-000000000000";
    for (const [credential, url] of [
      [flipped, path],
      [job.logToken, path],
      [world.owner, path],
      [agent, path],
      [job.request, path.replace(job.jobId, other)],
    ] as const) {
      expect((await world.as(credential, "GET", url)).status).toBe(401);
    }
    expect((await world.as(job.request, "POST", `/api/v1/logs/${job.jobId}?start_from=0`, "{}")).status).toBe(401);
    await finishJob(world, agent, job.jobId);
    expect((await job.get("")).status).toBe(401);
  });

  it("is looked at before the body that comes with it, and before any HEAD", async () => {
    const job = await runningJob();
    const path = `/api/v1/jobs/${job.jobId}/identity/token`;
    expect((await world.as("sbx_mac_x", "POST", path, { audience: 7 })).status).toBe(401);
    expect((await job.post({ audience: 7 })).status).toBe(400);
    expect((await world.as(job.request, "HEAD", path)).status).toBe(405);
    expect((await world.as(world.owner, "GET", `/api/v1/jobs/${job.jobId}/identity`)).body.items).toHaveLength(1);
    await finishJob(world, agent, job.jobId);
  });

  it("gets nothing more once its job is being stopped", async () => {
    const job = await runningJob();
    await world.as(world.owner, "POST", `/api/v1/jobs/${job.jobId}/stop`);
    expect((await job.get("")).status).toBe(401);
    await finishJob(world, agent, job.jobId, "stopped");
  });

  it("gets no token whose mask was sealed under a key that no longer seals", async () => {
    const job = await runningJob();
    const { results } = await harness.db
      .prepare("SELECT seals_with FROM sealing_state")
      .all<{ seals_with: number[] }>();
    const current = new Uint8Array(results[0]?.seals_with ?? []);
    const other = new Uint8Array(8).fill(7);
    await harness.db.batch([
      harness.db.prepare("INSERT INTO sealing_keys (key_id, self_test, created_at) VALUES (?, x'00', 0)").bind(other),
      harness.db.prepare("UPDATE sealing_state SET seals_with = ?").bind(other),
    ]);
    expect((await job.get("")).status).toBe(503);
    await harness.db.prepare("UPDATE sealing_state SET seals_with = ?").bind(current).run();
    expect((await job.get("")).status).toBe(200);
    await finishJob(world, agent, job.jobId);
  });

  it("goes into GitHub's variables too where the project says so", async () => {
    const settings = `/api/v1/projects/${world.projectId}`;
    await world.as(world.owner, "PATCH", settings, { github_token_variables: true });
    await world.startJob();
    const { jobId, request } = await takeJob(world, agent);
    expect(envOf(request, "ACTIONS_ID_TOKEN_REQUEST_URL")).toBe(envOf(request, "SEMAPHORE_OIDC_REQUEST_URL"));
    expect(envOf(request, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")).toBe(envOf(request, "SEMAPHORE_OIDC_REQUEST_TOKEN"));
    await world.as(world.owner, "PATCH", settings, { github_token_variables: false });
    await finishJob(world, agent, jobId);
  });
});

describe("identity profiles", () => {
  it("are retried by client id, unique by name, listed, and refused by field", async () => {
    const body = { id: crypto.randomUUID(), name: "vault", rules: { audience: "vault" } };
    const statuses = [];
    for (const each of [body, body, { ...body, rules: { audience: "other" } }, { ...body, id: crypto.randomUUID() }]) {
      statuses.push((await world.as(world.owner, "POST", profiles(), each)).status);
    }
    expect(statuses).toEqual([201, 200, 409, 409]);
    const { body: list } = await world.as(world.owner, "GET", profiles());
    expect(list.items.map(({ name }: { name: string }) => name)).toContain("vault");
    const forms = Array(4).fill("id");
    const many = await world.as(world.owner, "POST", profiles(), {
      name: "x",
      rules: { audience: "x", subject_forms: forms },
    });
    expect([many.status, many.body.errors[0].pointer]).toEqual([400, "/rules/subject_forms"]);
    const bad = await world.as(world.owner, "POST", profiles(), { name: "x", rules: { audience: "with blank" } });
    expect([bad.status, bad.body.errors[0].pointer]).toEqual([400, "/rules/audience"]);
  });
});

it("a project has room for sixty-four profiles", async () => {
  const fill = `INSERT INTO identity_profiles (id, project_id, name, profile, revision, request_mac, created_at, created_by)
    SELECT 'filler-' || value, ?, 'filler-' || value, '{"audience":"a"}', 1, x'00', 0, 'x' FROM json_each(?)`;
  const { items } = (await world.as(world.owner, "GET", profiles())).body;
  const fillers = JSON.stringify(Array.from({ length: 63 - items.length }, (_, at) => at));
  await harness.db.prepare(fill).bind(world.projectId, fillers).run();
  const statuses = [];
  for (const name of ["last", "one-more"]) {
    statuses.push((await world.as(world.owner, "POST", profiles(), { name, rules: { audience: "a" } })).status);
  }
  expect(statuses).toEqual([201, 422]);
});
