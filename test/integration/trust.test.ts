/** Cloud trust over the API: what is generated takes the jobs that it is for, and says of others why not. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createWorld, envOf, finishJob, sync, takeJob, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
});
afterAll(() => harness.close());

const ask = (path: string, body: unknown) => world.as(world.owner, "POST", `/api/v1/trust/${path}`, body);
const generate = async (over: Record<string, unknown>) =>
  (await ask("generate", { project_id: world.projectId, refs: ["refs/heads/main"], ...over })).body;

it("a policy from the server takes a real token, read on workerd, and says what another audience lacks", async () => {
  const jobId = await world.startJob();
  const { request } = await takeJob(world, await world.agent());
  const jwt = envOf(request, "SEMAPHORE_OIDC_TOKEN") ?? "";
  const { iss } = JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString());
  for (const cloud of ["gcp", "vault", "kubernetes"]) {
    const { policy } = await generate({ cloud, audience: iss });
    const pasted = (await ask("explain", { cloud, policy, token: { jwt } })).body;
    expect([cloud, pasted.verdict, pasted.because]).toEqual([cloud, "accepted", expect.any(String)]);
    const past = (await ask("explain", { cloud, policy, token: { job_id: jobId } })).body;
    expect([cloud, past.verdict]).toEqual([cloud, "accepted"]);
    const other = (await ask("explain", { cloud, policy, token: { job_id: jobId, audience: "someone-else" } })).body;
    expect([cloud, other.verdict]).toEqual([cloud, "refused"]);
    expect(other.because).toContain(`--audience ${iss}`);
  }
  // The harness's issuer is a loopback URL, which IAM takes for no provider.
  const { policy } = await generate({ cloud: "aws", audience: iss });
  expect((await ask("explain", { cloud: "aws", policy, token: { jwt } })).body.because).toContain("public name");
});

describe("a past job is explained by the tokens that it had", () => {
  const audience = "sts.amazonaws.com";
  const payload = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  let jobId: string;
  /** By what was asked for. */
  let tokens: Record<"default" | "plain" | "tagged", Record<string, unknown>>;

  beforeAll(async () => {
    const rules = {
      audience,
      subject_forms: ["semaphore", "id"],
      lifetime_seconds_max: 900,
      aws_session_tags: ["ref"],
    };
    const profiles = `/api/v1/projects/${world.projectId}/identity-profiles`;
    expect((await world.as(world.owner, "POST", profiles, { name: "aws", rules })).status).toBe(201);
    const agent = await world.agent();
    await world.startJob();
    const taken = await takeJob(world, agent);
    jobId = taken.jobId;
    await sync(world, agent, "running-job", jobId);
    const request = envOf(taken.request, "SEMAPHORE_OIDC_REQUEST_TOKEN") ?? "";
    const ask = async (body: object) => {
      const { body: answer } = await world.as(request, "POST", `/api/v1/jobs/${jobId}/identity/token`, body);
      return payload(answer.value);
    };
    tokens = {
      default: payload(envOf(taken.request, "SEMAPHORE_OIDC_TOKEN") ?? ""),
      plain: await ask({ audience, subject: "id", lifetime_seconds: 600, claims: ["repo"] }),
      tagged: await ask({ audience, aws_session_tags: ["ref"] }),
    };
    await finishJob(world, agent, jobId);
  });

  /** What this cluster takes is exactly this token: its claims, their number, and their values. */
  const exactly = (claims: Record<string, unknown>) => ({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    jwt: [
      {
        issuer: { url: claims.iss, audiences: [claims.aud] },
        claimValidationRules: [
          { expression: `size(claims) == ${Object.keys(claims).length}` },
          ...Object.entries(claims).map(([name, value]) => ({
            expression: `claims[${JSON.stringify(name)}] == ${JSON.stringify(value)}`,
          })),
        ],
        claimMappings: { username: { claim: "jti", prefix: "x:" } },
      },
    ],
  });
  const explain = async (policy: unknown, more: object = {}, who = world.owner) =>
    world.as(who, "POST", "/api/v1/trust/explain", {
      cloud: "kubernetes",
      policy: JSON.stringify(policy),
      token: { job_id: jobId, ...more },
    });

  it("claim by claim, with life, form of subject, session tags and what was chosen", async () => {
    for (const each of Object.values(tokens)) {
      const { body } = await explain(exactly(each));
      expect([body.verdict, body.because, body.mint]).toEqual(["accepted", "every rule is met", each.jti]);
      expect(body.assumes.at(-1)).toContain("judged as of its mint");
    }
    const { mints } = (await explain(exactly(tokens.tagged))).body;
    const told = { audience, is_default: false, verdict: "refused" };
    expect(mints).toMatchObject([
      { jti: tokens.tagged.jti, audience, subject_form: "semaphore", aws_session_tags: { ref: "refs/heads/main" } },
      { ...told, jti: tokens.plain.jti, subject_form: "id", aws_session_tags: {}, claims: ["repo"] },
      { jti: tokens.default.jti, audience: tokens.default.iss, is_default: true, claims: null, verdict: "refused" },
    ]);
    expect(Date.parse(mints[1].expires_at) - Date.parse(mints[1].issued_at)).toBe(600_000);
  });

  it("chosen by audience, form of subject or jti; one that it never had is told from one that it had", async () => {
    const jtis = async (more: object) => (await explain(exactly(tokens.tagged), more)).body.mints.map(jtiOf);
    const jtiOf = ({ jti }: { jti: string }) => jti;
    expect(await jtis({ audience })).toEqual([tokens.tagged.jti, tokens.plain.jti]);
    expect(await jtis({ audience, subject: "id" })).toEqual([tokens.plain.jti]);
    const chosen = (await explain(exactly(tokens.tagged), { jti: tokens.plain.jti })).body;
    expect([chosen.mint, chosen.verdict]).toEqual([tokens.plain.jti, "refused"]);
    const never = (await explain(exactly(tokens.tagged), { audience: "vault" })).body;
    expect([never.mint, never.mints]).toEqual([null, []]);
    expect(never.assumes.at(-1)).toContain(`no such token, but for ${audience} (semaphore subject)`);
    const { status, body } = await explain(exactly(tokens.tagged), { jti: "another" });
    expect([status, body.errors]).toEqual([400, [{ pointer: "/token/jti", detail: "this job had no such token" }]]);
  });

  it("to whoever may read the ledger; others hear of a token that it would have had", async () => {
    const guest = await world.tokenOf("guest");
    const { body } = await explain(exactly(tokens.tagged), {}, guest);
    expect([body.mint, body.mints, body.assumes.at(-1)]).toEqual([null, [], expect.stringContaining("managers")]);
    expect(JSON.stringify(body)).not.toContain(tokens.default.jti);
    expect((await explain(exactly(tokens.tagged), { jti: tokens.default.jti }, guest)).status).toBe(403);
  });
});

it("the id form fits Azure's credential, whatever the ref", async () => {
  const { policy, audience } = await generate({ cloud: "azure" });
  const token = { project_id: world.projectId, ref: "refs/heads/any", audience };
  expect((await ask("explain", { cloud: "azure", policy, token: { ...token, subject: "id" } })).body.verdict).toBe(
    "accepted",
  );
  expect((await ask("explain", { cloud: "azure", policy, token })).body.because).toContain("--subject id");
});

it("a policy that does not parse is refused by its field: where and why", async () => {
  const policy = '{\n  "Version": "2012-10-17",\n  "Statement": [],\n}';
  for (const [path, more] of [
    ["lint", {}],
    ["explain", { token: { project_id: world.projectId, ref: "refs/heads/main" } }],
  ] as const) {
    const { status, body } = await ask(path, { cloud: "aws", policy, ...more });
    expect([status, body.errors]).toEqual([
      400,
      [{ pointer: "/policy", detail: expect.stringMatching(/^line 3, column 18: a comma stands before the end/) }],
    ]);
  }
});

it("a token that is given as none of its forms, or a ref that cannot be trusted, is refused by its field: what it may be", async () => {
  const { body: explained } = await ask("explain", { cloud: "aws", policy: "{}", token: { job: "x" } });
  const forms = "must be an object that holds jwt, or job_id, or project_id and ref";
  expect(explained.errors).toEqual([{ pointer: "/token", detail: forms }]);
  const { body: generated } = await ask("generate", { cloud: "aws", project_id: world.projectId, refs: ["main"] });
  const refs = "must be a full ref such as refs/heads/main, or a prefix that ends in /**";
  expect(generated.errors).toEqual([{ pointer: "/refs/0", detail: refs }]);
});

it("a policy of more than 64 KiB, and one that is empty, are refused by their field", async () => {
  for (const policy of [" ".repeat(65_537), ""]) {
    const { status, body } = await ask("lint", { cloud: "vault", policy });
    expect([status, body.errors[0].pointer]).toEqual([400, "/policy"]);
  }
});

describe("under a public issuer", () => {
  const origin = "https://ci.example.com";
  const askPublic = (path: string, body: unknown) =>
    world.as(world.owner, "POST", `${origin}/api/v1/trust/${path}`, body);
  const generatePublic = async (over: Record<string, unknown>) =>
    (await askPublic("generate", { project_id: world.projectId, refs: ["refs/heads/main"], ...over })).body;
  beforeAll(() => harness.deploy({ ISSUER: origin }));

  it("a future job on another ref is refused, and told what would fit", async () => {
    const { policy } = await generatePublic({ cloud: "aws" });
    const token = { project_id: world.projectId, ref: "refs/heads/main-x", audience: "sts.amazonaws.com" };
    const { verdict, because } = (await askPublic("explain", { cloud: "aws", policy, token })).body;
    expect([verdict, because]).toEqual(["refused", expect.stringContaining("ref:refs/heads/main-x")]);
  });

  it("a future job with session tags is explained with their values, and without sts:TagSession refused", async () => {
    const token = { project_id: world.projectId, ref: "refs/heads/main", audience: "sts.amazonaws.com" };
    const tagged = { ...token, aws_session_tags: ["ref", "prj_id"] };
    const explained = async (over: object, token: object) =>
      (
        await askPublic("explain", {
          cloud: "aws",
          policy: (await generatePublic({ cloud: "aws", ...over })).policy,
          token,
        })
      ).body;
    expect((await explained({}, tagged)).because).toContain("add sts:TagSession");
    const { verdict, parts } = await explained({ session_tags: true }, tagged);
    expect([verdict, parts[0].checks.at(-1).seen]).toEqual([
      "accepted",
      ["ref=refs/heads/main", `prj_id=${world.projectId}`],
    ]);
  });

  it("a ref whose subject is cut is trusted by the subject that its jobs really have", async () => {
    const ref = `refs/heads/${"long-".repeat(50)}end`;
    const { policy } = await generatePublic({ cloud: "aws", refs: [ref] });
    expect(policy).toMatch(/~[A-Z2-7]{26}"/i);
    const token = { project_id: world.projectId, ref, audience: "sts.amazonaws.com" };
    expect((await askPublic("explain", { cloud: "aws", policy, token })).body.verdict).toBe("accepted");
    const longer = { ...token, ref: `${ref}x` };
    expect((await askPublic("explain", { cloud: "aws", policy, token: longer })).body.verdict).toBe("refused");
  });

  it("pull requests are trusted by the word that the organization has for them, under a prefix too", async () => {
    const patch = async (pull_request_word: string) =>
      (await world.as(world.owner, "PATCH", `${origin}/api/v1/organization`, { pull_request_word })).status;
    expect(await patch("pull-request")).toBe(200);
    for (const ref of ["refs/pull/7/merge", "refs/pull/**"]) {
      const { policy } = await generatePublic({ cloud: "aws", refs: [ref] });
      expect(policy).toContain(":ref_type:pull-request:ref:refs/pull/");
    }
    expect(await patch("pr")).toBe(200);
  });
});
