/** Cloud trust over the API: what is generated takes the jobs that it is for, and says of others why not. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createWorld, envOf, takeJob, type World } from "../support/api.ts";
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
