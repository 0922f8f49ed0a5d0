import { describe, expect, test } from "vitest";
import { securityClaims } from "../../../../src/protocol/identity.ts";
import type { IdentityProfile } from "../../../../src/protocol/identity-profiles.ts";
import { IdentityProfileRules } from "../../../../src/protocol/identity-profiles.ts";
import { awsTags } from "../../../../src/worker/identity/aws-tags.ts";
import { chosenClaims, identityClaims } from "../../../../src/worker/identity/claims.ts";
import { type AskingJob, decideToken } from "../../../../src/worker/identity/token-decision.ts";
import type { EpochSeconds } from "../../../../src/worker/lib/time.ts";
import { faultOf, gitContext as git, idOf } from "../fixtures.ts";

const issuer = "https://ci.example.com";
const aws = "sts.amazonaws.com";

const profile = (rules: object, name = "p"): IdentityProfile => ({
  id: idOf(1),
  project_id: idOf(2),
  name,
  rules: IdentityProfileRules.parse({ audience: aws, ...rules }),
  revision: 1,
  created_at: "2026-11-20T00:00:00.000Z",
  created_by: idOf(3),
});
const job = (changes: Partial<AskingJob> = {}): AskingJob => ({
  git: git({ ref_protected: true }),
  agentType: "linux",
  settings: { identity: "default", fork_tokens: false },
  secondsLeft: 10_000,
  ...changes,
});

describe("without a profile", () => {
  test("the default audience and form are minted, for an hour or as long as the job may run", () => {
    const defaults = { audience: issuer, subject: "semaphore", tags: [], claims: null };
    expect(decideToken({}, job(), [], issuer)).toEqual({ ...defaults, lifeSeconds: 3600 });
    expect(decideToken({ audience: issuer }, job({ secondsLeft: 60.2 }), [], issuer)).toEqual({
      ...defaults,
      lifeSeconds: 61,
    });
    expect(decideToken({ lifetime_seconds: 300 }, job(), [], issuer)).toMatchObject({ lifeSeconds: 300 });
    expect(decideToken({ lifetime_seconds: 3601 }, job(), [], issuer)).toEqual({
      code: "invalid_request",
      pointer: "/lifetime_seconds",
      detail: "must be at most 3600 seconds",
    });
  });

  test.each([
    [{ audience: aws }],
    [{ subject: "id" as const }],
    [{ subject: "sub127" as const }],
    [{ aws_session_tags: ["repo" as const] }],
  ])("%o is not", (request) => {
    expect(decideToken(request, job(), [], issuer)).toMatchObject({ pointer: "/audience" });
  });
});

describe("with a profile of its audience", () => {
  test("a job gets what that allows and no more, and is told which parameter would have to be another", () => {
    const rules = { subject_forms: ["id"], lifetime_seconds_max: 900, aws_session_tags: ["repo"] };
    const asked = { audience: aws, subject: "id" as const };
    const decide = (request: object) => decideToken({ ...asked, ...request }, job(), [profile(rules)], issuer);
    expect(decide({})).toEqual({ audience: aws, subject: "id", tags: [], claims: null, lifeSeconds: 900 });
    expect(decide({ aws_session_tags: ["repo"] })).toMatchObject({ tags: ["repo"] });
    expect(decide({ aws_session_tags: ["repo", "sha"] })).toMatchObject({ pointer: "/aws_session_tags" });
    expect(decide({ subject: "semaphore" })).toMatchObject({ pointer: "/subject" });
    expect(decide({ lifetime_seconds: 901 })).toMatchObject({ code: "invalid_request", pointer: "/lifetime_seconds" });
    expect(decide({ subject: "sub127" })).toMatchObject({ code: "forbidden" });
    expect(decide({ audience: "vault" })).toMatchObject({ pointer: "/audience" });
  });

  test("a ref or an agent type that it is not for gets nothing", () => {
    const unprotected = job({ git: git({ ref: "refs/heads/topic", ref_protected: false }) });
    const decide = (rules: object, asking = job()) => decideToken({ audience: aws }, asking, [profile(rules)], issuer);
    expect(decide({}, unprotected)).toMatchObject({ detail: expect.stringContaining("refs/heads/topic is none") });
    expect(decide({ refs: ["refs/heads/*"] }, unprotected)).toMatchObject({ audience: aws });
    expect(decide({ agent_types: ["secure"] })).toMatchObject({ detail: expect.stringContaining("secure") });
  });

  test("one of several that allows it is enough", () => {
    const profiles = [profile({ refs: ["refs/tags/*"] }, "tags"), profile({ subject_forms: ["id"] }, "ids")];
    expect(decideToken({ audience: aws, subject: "id" }, job(), profiles, issuer)).toMatchObject({ subject: "id" });
  });

  test("even the default audience is what its profile says, once there is one", () => {
    const own = profile({ audience: issuer, refs: ["refs/tags/*"] });
    expect(decideToken({}, job(), [own], issuer)).toMatchObject({ pointer: "/audience" });
  });
});

test("a fork gets no token, whatever a profile says", () => {
  const fork = job({ git: git({ fork: true, ref_protected: true }) });
  expect(decideToken({}, fork, [], issuer)).toMatchObject({ detail: "no identity token: jobs of forks get none" });
  expect(decideToken({ audience: aws }, fork, [profile({})], issuer)).toMatchObject({ pointer: "/audience" });
});

test("a fork gets the default token where the project says so, and a profile's only where that says so too", () => {
  const settings = { identity: "default", fork_tokens: true } as const;
  const fork = job({ git: git({ fork: true, ref_protected: true }), settings });
  expect(decideToken({}, fork, [], issuer)).toMatchObject({ audience: issuer });
  expect(decideToken({ audience: aws }, fork, [profile({})], issuer)).toMatchObject({
    detail: "profile p is not for forks",
  });
  expect(decideToken({ audience: aws }, fork, [profile({ forks: true })], issuer)).toMatchObject({ audience: aws });
});

test("a project without identity grants nothing, to no job", () => {
  const off = job({ settings: { identity: "none", fork_tokens: true } });
  expect(decideToken({ audience: aws }, off, [profile({})], issuer)).toMatchObject({ pointer: "/audience" });
});

const claimsOf = (ref: string) =>
  identityClaims(
    {
      issuer,
      org: { id: idOf(8), name: "acme" },
      project: { id: idOf(9), name: "web" },
      repository: { name: "web", slug: "acme/web" },
      git: git({ ref }),
      workflowId: idOf(10),
      pipelineId: idOf(11),
      jobId: idOf(12),
      actor: idOf(13),
    },
    { jti: "j", aud: aws, issuedAt: 0 as EpochSeconds, expiresAt: 1 as EpochSeconds },
    "id",
  );

describe("AWS session tags", () => {
  test("are lists of one string, none of them transitive", async () => {
    const claims = await claimsOf("refs/heads/main");
    expect(awsTags(claims, ["repo", "branch"])).toEqual({
      principal_tags: { repo: ["web"], branch: ["main"] },
      transitive_tag_keys: [],
    });
  });

  test("refuse the mint for a value that AWS would not take, instead of altering it", async () => {
    const claims = await claimsOf("refs/heads/a,b#c");
    const fault = await faultOf(() => awsTags(claims, ["branch"]));
    expect(fault.code).toBe("invalid_request");
    expect(fault.errors[0]?.pointer).toBe("/aws_session_tags");
  });

  test("go with a subject that is one for the project, whatever the ref", async () => {
    const subjects = await Promise.all(
      ["refs/heads/main", "refs/heads/x"].map(async (ref) => (await claimsOf(ref)).sub),
    );
    expect(subjects).toEqual(Array(2).fill(`org_id:${idOf(8)}:prj_id:${idOf(9)}`));
  });
});

describe("the claims of a token", () => {
  const decide = (request: object, ...rules: object[]) => {
    const profiles = rules.map((each) => profile(each));
    return decideToken({ audience: aws, ...request }, job(), profiles, issuer);
  };

  test("are all, or those that the job chose, where no profile says otherwise", () => {
    expect(decideToken({ claims: ["branch"] }, job(), [], issuer)).toMatchObject({ claims: ["branch"] });
    expect(decide({}, {})).toMatchObject({ claims: null });
    expect(decide({ claims: [] }, {})).toMatchObject({ claims: [] });
  });

  test("are what the profiles that allow the rest have together, and a job may choose among them alone", () => {
    expect(decide({}, { claims: ["repo"] })).toMatchObject({ claims: ["repo"] });
    expect(decide({}, { claims: ["repo"] }, { claims: ["repo", "actor"] })).toMatchObject({
      claims: ["repo", "actor"],
    });
    expect(decide({}, { claims: ["repo"] }, {})).toMatchObject({ claims: null });
    expect(decide({ claims: ["actor"] }, { claims: ["repo"] })).toMatchObject({ pointer: "/claims" });
    expect(decide({ claims: ["sub", "repo"] }, { claims: ["repo"] })).toMatchObject({ claims: ["sub", "repo"] });
  });

  test("are those of profiles that allow the token's life: no token has the claims of one for the life of another", () => {
    const brief = { lifetime_seconds_max: 300 };
    const long = { claims: ["repo"], lifetime_seconds_max: 86_400 } as const;
    const all = { claims: null, lifeSeconds: 300 };
    expect(decide({}, brief, long)).toMatchObject({ claims: ["repo"], lifeSeconds: 3600 });
    expect(decide({ lifetime_seconds: 301 }, brief, long)).toMatchObject({ claims: ["repo"], lifeSeconds: 301 });
    expect(decide({ lifetime_seconds: 300 }, brief, long)).toMatchObject(all);
    expect(decide({ lifetime_seconds: 301 }, brief)).toMatchObject({ pointer: "/lifetime_seconds" });
  });

  test("never lack one that keeps a token safe, nor hold one that was not chosen", async () => {
    const all = await claimsOf("refs/heads/main");
    expect(chosenClaims(all, null)).toBe(all);
    expect(Object.keys(chosenClaims(all, [])).toSorted()).toEqual([...securityClaims].toSorted());
    expect(Object.keys(chosenClaims(all, ["repo", "sub"])).toSorted()).toEqual([...securityClaims, "repo"].toSorted());
  });
});
