/** What may be asked of identity tokens: whether one stands, and what one would say. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createWorld, envOf, finishJob, takeJob, type World } from "../support/api.ts";
import { defaultVars, type Harness, newSigningKey, startHarness } from "../support/harness.ts";
import { startSignalbox } from "../support/processes.ts";

let harness: Harness;
let world: World;
let agent: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
});
afterAll(() => harness.close());

const introspect = async (token: unknown) =>
  (await world.as(null, "POST", "/api/v1/identity/introspect", { token })).body;
const preview = (body: unknown) =>
  world.as(world.owner, "POST", `/api/v1/projects/${world.projectId}/identity/preview`, body);

async function runningToken() {
  await world.startJob();
  const { jobId, request } = await takeJob(world, agent);
  return { jobId, token: envOf(request, "SEMAPHORE_OIDC_TOKEN") ?? "" };
}

describe("a presented token", () => {
  it("stands while its job runs, and ends with it, although its time has not come", async () => {
    const { jobId, token } = await runningToken();
    const standing = await introspect(token);
    expect(standing).toMatchObject({ active: true, job_id: jobId, aud: expect.any(String), sub: expect.any(String) });
    await finishJob(world, agent, jobId);
    expect(await introspect(token)).toEqual({ active: false, reason: "job_ended" });
  });

  it("that was altered, or that nobody minted, does not stand", async () => {
    const { jobId, token } = await runningToken();
    const [header, payload, signature = ""] = token.split(".");
    const other = signature.startsWith("A") ? "B" : "A";
    expect(await introspect(`${header}.${payload}.${other}${signature.slice(1)}`)).toEqual({
      active: false,
      reason: "bad_signature",
    });
    expect(await introspect("a.b.c")).toEqual({ active: false, reason: "malformed" });
    await harness.db.prepare("DELETE FROM identity_ledger WHERE job_id = ?").bind(jobId).run();
    expect(await introspect(token)).toEqual({ active: false, reason: "not_in_ledger" });
    await finishJob(world, agent, jobId);
  });

  it("stands on after the key that signed it has moved to the other slot, and falls with the key", async () => {
    const { jobId, token } = await runningToken();
    await harness.deploy({ SIGNING_KEY_1: newSigningKey(1), SIGNING_KEY_2: defaultVars.SIGNING_KEY_1 });
    expect((await introspect(token)).active).toBe(true);
    await harness.deploy({ SIGNING_KEY_1: newSigningKey(1), SIGNING_KEY_2: undefined });
    expect(await introspect(token)).toEqual({ active: false, reason: "unknown_key" });
    await harness.deploy({});
    await finishJob(world, agent, jobId);
  });

  it("that is none is refused by its field", async () => {
    for (const token of ["", 7, "x".repeat(20_001)]) {
      const answer = await world.as(null, "POST", "/api/v1/identity/introspect", { token });
      expect([answer.status, answer.body.errors[0].pointer]).toEqual([400, "/token"]);
    }
  });
});

describe("a preview", () => {
  it("says what the token of a job on that ref then says, but for what only a job has", async () => {
    const before = (await preview({ ref: "refs/heads/main", sha: "0123456789abcdef0123456789abcdef01234567" })).body;
    const { jobId, token } = await runningToken();
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    const ofJob = ["jti", "exp", "iat", "nbf", "wf_id", "ppl_id", "job_id"];
    const comparable = (all: Record<string, unknown>) =>
      Object.fromEntries(Object.entries(all).filter(([name]) => !ofJob.includes(name)));
    expect(comparable(before.claims)).toEqual(comparable(claims));
    expect(before.header).toEqual(JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()));
    expect(before.minted).toBe(true);
    await finishJob(world, agent, jobId);
  });

  it("tells where a long subject does not fit, and that it is cut", async () => {
    const { subjects } = (await preview({ ref: `refs/heads/${"long-".repeat(40)}end` })).body;
    const [semaphore, short, ofProject] = subjects;
    expect([semaphore.cut, semaphore.bytes, short.cut, short.bytes]).toEqual([true, 255, true, 127]);
    const fits = (subject: { fits: { relying_party: string; fits: boolean }[] }) =>
      Object.fromEntries(subject.fits.map(({ relying_party, fits: does }) => [relying_party.split(" ")[0], does]));
    expect(fits(semaphore)).toEqual({ OpenID: true, AWS: true, Google: false, Microsoft: true });
    expect(fits(short)).toEqual({ OpenID: true, AWS: true, Google: true, Microsoft: true });
    expect(ofProject).toMatchObject({ form: "id", cut: false });
    expect(ofProject.value).toMatch(new RegExp(`^org_id:[0-9a-f-]{36}:prj_id:${world.projectId}$`));
    expect(fits(ofProject)).toEqual({ OpenID: true, AWS: true, Google: true, Microsoft: true });
  });

  it("of a pull request has no branch, counts as a fork's until it is proven not to be, and then gets no token", async () => {
    const { body } = await preview({ ref: "refs/pull/12/merge" });
    expect([body.minted, body.claims.fork, body.claims.branch, body.claims.ref_type]).toEqual([
      false,
      "true",
      "",
      "fork",
    ]);
    const pull_request = { number: 12, title: "Update YAML", branch: "patch" };
    const proven = (await preview({ ref: "refs/pull/12/merge", fork: false, pull_request })).body;
    expect([proven.minted, proven.claims.pr, proven.claims.pr_branch, proven.claims.ref_type]).toEqual([
      true,
      "PR #12: Update YAML",
      "patch",
      "pr",
    ]);
  });

  it("of what no job can run on is refused by its field, and mints nothing", async () => {
    const answer = await preview({ ref: "refs/notes/commits" });
    expect([answer.status, answer.body.errors[0].pointer]).toEqual([422, "/ref"]);
    expect(await harness.db.prepare("SELECT count(*) AS n FROM identity_ledger WHERE jti = ''").first("n")).toBe(0);
  });
});

describe("the command line", () => {
  const run = async (...args: string[]) => {
    const env = { SIGNALBOX_URL: harness.url.origin, SIGNALBOX_TOKEN: world.owner };
    const { code, stdout, stderr } = await startSignalbox([...args, "--json"], env).ended;
    expect([code, stderr]).toEqual([0, ""]);
    return JSON.parse(stdout);
  };

  it("changes the word for pull requests, previews the subject that it makes, and shows the ledger", async () => {
    const { jobId } = await runningToken();
    await finishJob(world, agent, jobId);
    const preview = ["identity", "preview", "--project", "web", "--ref", "refs/pull/12/merge", "--no-fork"];
    expect((await run(...preview)).claims.sub).toContain(":ref_type:pr:ref:");
    const { settings } = await run("organization", "set", "--pull-request-word", "pull-request");
    expect(settings.pull_request_word).toBe("pull-request");
    expect((await run(...preview)).claims).toMatchObject({
      sub: expect.stringContaining(":ref_type:pull-request:ref:refs/pull/12/merge"),
      ref_type: "pr",
      pr_number: "12",
    });
    await run("organization", "set", "--pull-request-word", "pr");
    const ledger = await run("project", "ledger", "web", "--last", "1");
    expect(ledger.map(({ job_id }: { job_id: string }) => job_id)).toEqual([jobId]);
  });
});

describe("a page of any origin", () => {
  it("may read the public documents, and is told so when it asks first", async () => {
    for (const name of ["openid-configuration", "jwks.json", "jwks", "jwts"]) {
      const asked = await world.as(null, "OPTIONS", `/.well-known/${name}`);
      expect([asked.status, asked.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
      expect(asked.headers.get("access-control-allow-methods")).toBe("GET, HEAD");
      // A page that asks with If-None-Match is let through, and may read the ETag that it needs for that.
      expect(asked.headers.get("access-control-allow-headers")).toBe("*");
    }
    const other = await world.as(null, "OPTIONS", "/api/v1/projects");
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
  });
});
