import { describe, expect, test } from "vitest";
import type { GitContext } from "../../../../src/protocol/git-context.ts";
import { IdentityClaims } from "../../../../src/protocol/identity.ts";
import { type IdentityContext, identityClaims, type Mint } from "../../../../src/worker/identity/claims.ts";
import { subject, subject127 } from "../../../../src/worker/identity/subject.ts";
import type { EpochSeconds } from "../../../../src/worker/lib/time.ts";
import { combinations, gitContext, idOf, pullRequestContext, tagContext } from "../fixtures.ts";
import { generatedParts } from "./refs.ts";

const mint: Mint = {
  jti: idOf(99),
  aud: "https://ci.example.com",
  issuedAt: 1000 as EpochSeconds,
  expiresAt: 4600 as EpochSeconds,
};

function contextOf(git: GitContext): IdentityContext {
  return {
    issuer: "https://ci.example.com",
    org: { id: idOf(1), name: "acme" },
    project: { id: idOf(2), name: "shop" },
    repository: { name: "web", slug: "acme/web" },
    git,
    workflowId: idOf(3),
    pipelineId: idOf(4),
    jobId: idOf(5),
    actor: idOf(6),
  };
}

const claimsOf = (git: GitContext) => identityClaims(contextOf(git), mint);
const times = new Set(["exp", "iat", "nbf"]);
const allNames = Object.keys(IdentityClaims.shape).sort();

test("a branch's token, claim by claim", async () => {
  const parts = { org: "acme", projectId: idOf(2), repo: "web", refType: "branch", ref: "refs/heads/main" } as const;
  expect(await claimsOf(gitContext())).toEqual({
    iss: "https://ci.example.com",
    aud: "https://ci.example.com",
    sub: await subject(parts),
    sub127: await subject127(parts),
    exp: 4600,
    iat: 1000,
    nbf: 995,
    jti: idOf(99),
    branch: "main",
    pr: "",
    ref: "refs/heads/main",
    tag: "",
    repo: "web",
    prj_id: idOf(2),
    wf_id: idOf(3),
    ppl_id: idOf(4),
    job_id: idOf(5),
    org: "acme",
    org_id: idOf(1),
    prj: "shop",
    ref_type: "branch",
    ref_protected: "true",
    sha: "a".repeat(40),
    fork: "false",
    pr_number: "",
    pr_branch: "",
    actor: idOf(6),
    job_type: "pipeline_job",
    trg: "api",
    proof: "api",
    environment: "",
    runner_environment: "self-hosted",
    repo_slug: "acme/web",
  });
});

test("a tag's token says the tag and no branch", async () => {
  expect(await claimsOf(tagContext)).toMatchObject({ branch: "", tag: "v1.0", pr: "", ref_type: "tag", pr_number: "" });
});

test("a pull request's token says no branch, so that it cannot pass for main", async () => {
  const againstMain = { ...pullRequestContext, pull_request: { number: 12, title: "main", branch: "main" } };
  expect(await claimsOf(againstMain)).toMatchObject({
    branch: "",
    tag: "",
    pr: "PR #12: main",
    pr_number: "12",
    pr_branch: "main",
    ref_type: "pr",
    ref: "refs/pull/12/head",
    trg: "webhook",
    proof: "webhook",
    ref_protected: "false",
  });
});

test("a branch that is named like a ref keeps its whole name", async () => {
  expect((await claimsOf(gitContext({ ref: "refs/heads/refs/heads/main" }))).branch).toBe("refs/heads/main");
  expect((await claimsOf(gitContext({ ref: "refs/heads/refs/tags/v1" }))).tag).toBe("");
});

test("in every context all claims are present, none is more, and all but the times are strings", async () => {
  const contexts = combinations({
    shape: [gitContext(), tagContext, pullRequestContext, { ...pullRequestContext, pull_request: null }],
    fork: [true, false],
    ref_protected: [true, false],
    trg: ["webhook", "api", "schedule", "rerun"],
    proof: ["webhook", "api"],
  } as const);
  for (const { shape, ...rest } of contexts) {
    const claims = await claimsOf({ ...shape, ...rest });
    expect(Object.keys(claims).sort()).toEqual(allNames);
    for (const [name, value] of Object.entries(claims)) {
      expect(typeof value, name).toBe(times.has(name) ? "number" : "string");
    }
    expect(claims.fork).toBe(rest.fork ? "true" : "false");
    expect(claims.ref_protected).toBe(rest.ref_protected ? "true" : "false");
    expect(claims.nbf).toBe(claims.iat - 5);
    const isOwnRef = shape.ref_type !== "pr" && !rest.fork;
    expect([claims.branch, claims.tag].filter((text) => text !== "").length).toBe(isOwnRef ? 1 : 0);
  }
});

test("over generated refs the subjects keep their limits and the ref is verbatim", async () => {
  for (const { ref, refType } of generatedParts(11, 500)) {
    const claims = await claimsOf(gitContext({ ref, ref_type: refType }));
    expect(claims.ref).toBe(ref);
    expect(claims.sub.length).toBeLessThanOrEqual(255);
    expect(Buffer.byteLength(claims.sub127)).toBeLessThanOrEqual(127);
  }
});

test("a fork's token says fork and nothing that a policy for the repository's own refs would take", async () => {
  for (const git of [gitContext(), tagContext, pullRequestContext]) {
    const [own, fork] = [await claimsOf({ ...git, fork: false }), await claimsOf({ ...git, fork: true })];
    expect(fork).toMatchObject({ fork: "true", ref_type: "fork", branch: "", tag: "", ref: git.ref });
    expect(fork.sub).toContain(`:ref_type:fork:ref:${git.ref}`);
    expect(fork.sub127).toContain(":fk:");
    expect([fork.sub === own.sub, fork.sub127 === own.sub127]).toEqual([false, false]);
  }
});

test("the organization's word for pull requests is in their subject, and nowhere else", async () => {
  const spelled = async (git: GitContext, pull_request_word: "pr" | "pull-request") => {
    const { org, ...rest } = contextOf(git);
    return identityClaims({ ...rest, org: { ...org, settings: { pull_request_word } } }, mint);
  };
  const [short, long] = [await spelled(pullRequestContext, "pr"), await spelled(pullRequestContext, "pull-request")];
  expect(short).toEqual(await claimsOf(pullRequestContext));
  expect(long).toEqual({ ...short, sub: short.sub.replace(":ref_type:pr:", ":ref_type:pull-request:") });
  expect(long.sub).not.toBe(short.sub);
  expect(await spelled(gitContext(), "pull-request")).toEqual(await claimsOf(gitContext()));
});

describe("a pull request's title, which a stranger writes,", () => {
  const titled = async (title: string) => {
    const { pr, sub, sub127, ref } = await claimsOf({
      ...pullRequestContext,
      pull_request: { number: 12, title, branch: "b" },
    });
    return { pr, elsewhere: sub + sub127 + ref };
  };

  test("is in no subject", async () => {
    expect((await titled("ref:refs/heads/main")).elsewhere).toBe((await titled("x")).elsewhere);
  });

  test("has no control, format or unassigned character", async () => {
    const { pr } = await titled("a\nb\r\0c\u202ed\u200be\u0085f\u007fg");
    expect(pr).toBe("PR #12: a b  c d e f g");
  });

  test("is cut at 200 characters", async () => {
    expect((await titled("x".repeat(1000))).pr).toHaveLength(200);
  });

  test.each([0, 1, 2])("is not cut within a character (%i letters before the emoji)", async (pad) => {
    const { pr } = await titled("x".repeat(pad) + "\u{1f682}".repeat(300));
    expect(pr.isWellFormed()).toBe(true);
    expect(pr.length).toBeGreaterThanOrEqual(199);
  });

  test("that is not well-formed becomes so", async () => {
    expect((await titled("a\ud83db")).pr.isWellFormed()).toBe(true);
  });
});
