import { describe, expect, test } from "vitest";
import type { GitContext } from "../../../../src/protocol/git-context.ts";
import { EnvName } from "../../../../src/protocol/names.ts";
import { jobEnvironment } from "../../../../src/worker/agents/job-environment.ts";
import { gitContext, idOf, job, project, pullRequestContext, tagContext } from "../fixtures.ts";

function entries(git: GitContext, identityToken: string | null = "jwt") {
  return jobEnvironment({
    issuer: "https://ci.example.com",
    organizationId: idOf(8),
    project,
    job: job({ git }),
    identityToken,
    tokenRequest: identityToken === null ? null : { url: "https://ci.example.com/more?v=1", token: "mac" },
  });
}
const environment = (git: GitContext, token?: string | null) => Object.fromEntries(entries(git, token));
const shapes = [gitContext(), tagContext, pullRequestContext, { ...pullRequestContext, pull_request: null }];

test("a branch's job gets this environment", () => {
  expect(environment(gitContext({ ref: "refs/heads/a/b" }))).toEqual({
    TERM: "xterm",
    CI: "true",
    SEMAPHORE: "true",
    SEMAPHORE_PROJECT_NAME: "points",
    SEMAPHORE_PROJECT_ID: project.id,
    SEMAPHORE_JOB_NAME: "deploy",
    SEMAPHORE_JOB_ID: idOf(1),
    SEMAPHORE_JOB_CREATION_TIME: String(Date.parse("2026-11-20T17:59:00Z") / 1000),
    SEMAPHORE_JOB_TYPE: "pipeline_job",
    SEMAPHORE_AGENT_MACHINE_TYPE: "linux",
    SEMAPHORE_AGENT_MACHINE_OS_IMAGE: "",
    SEMAPHORE_AGENT_MACHINE_ENVIRONMENT_TYPE: "VM",
    SEMAPHORE_ORGANIZATION_URL: "https://ci.example.com",
    SEMAPHORE_ORGANIZATION_ID: idOf(8),
    SEMAPHORE_TOOLBOX_METRICS_ENABLED: "false",
    SEMAPHORE_WORKFLOW_ID: idOf(3),
    SEMAPHORE_WORKFLOW_RERUN: "false",
    SEMAPHORE_WORKFLOW_TRIGGERED_BY: idOf(9),
    SEMAPHORE_WORKFLOW_TRIGGERED_BY_HOOK: "false",
    SEMAPHORE_WORKFLOW_TRIGGERED_BY_API: "true",
    SEMAPHORE_WORKFLOW_TRIGGERED_BY_SCHEDULE: "false",
    SEMAPHORE_WORKFLOW_TRIGGERED_BY_MANUAL_RUN: "false",
    SEMAPHORE_PIPELINE_ID: idOf(4),
    SEMAPHORE_PIPELINE_RERUN: "false",
    SEMAPHORE_GIT_PROVIDER: "github",
    SEMAPHORE_GIT_URL: "https://git.example/acme/points",
    SEMAPHORE_GIT_REPO_NAME: "points",
    SEMAPHORE_GIT_REPO_SLUG: "acme/points",
    SEMAPHORE_GIT_DIR: "points",
    SEMAPHORE_GIT_SHA: "a".repeat(40),
    SEMAPHORE_GIT_REF: "refs/heads/a/b",
    SEMAPHORE_GIT_REF_TYPE: "branch",
    SEMAPHORE_GIT_BRANCH: "a/b",
    SEMAPHORE_GIT_WORKING_BRANCH: "a/b",
    SEMAPHORE_OIDC_TOKEN: "jwt",
    SEMAPHORE_OIDC_REQUEST_URL: "https://ci.example.com/more?v=1",
    SEMAPHORE_OIDC_REQUEST_TOKEN: "mac",
  });
});

test("a tag's job gets the tag, and the ref as branch, as Semaphore has it", () => {
  const got = environment(tagContext);
  expect(got).toMatchObject({
    SEMAPHORE_GIT_REF_TYPE: "tag",
    SEMAPHORE_GIT_TAG_NAME: "v1.0",
    SEMAPHORE_GIT_BRANCH: "refs/tags/v1.0",
  });
  expect(got).not.toHaveProperty("SEMAPHORE_GIT_WORKING_BRANCH");
});

test("a pull request's job gets its request, and Semaphore's spelling of the type", () => {
  expect(environment(pullRequestContext)).toMatchObject({
    SEMAPHORE_GIT_REF_TYPE: "pull-request",
    SEMAPHORE_GIT_REF: "refs/pull/12/head",
    SEMAPHORE_GIT_PR_NUMBER: "12",
    SEMAPHORE_GIT_PR_NAME: "Fix the points",
    SEMAPHORE_GIT_PR_BRANCH: "fix/points",
    SEMAPHORE_GIT_WORKING_BRANCH: "fix/points",
    SEMAPHORE_GIT_PR_SHA: "a".repeat(40),
    SEMAPHORE_WORKFLOW_TRIGGERED_BY_HOOK: "true",
  });
});

describe("in every shape", () => {
  test("names are ones that a shell takes, each given once, and values are text", () => {
    for (const git of shapes) {
      const names = entries(git).map(([name]) => name);
      for (const name of names) expect(EnvName.safeParse(name).success, name).toBe(true);
      expect(new Set(names).size).toBe(names.length);
      for (const [name, value] of entries(git)) expect(typeof value, name).toBe("string");
    }
  });

  test("a job without an identity token has no variable for one, not an empty one", () => {
    for (const git of shapes) expect(environment(git, null)).not.toHaveProperty("SEMAPHORE_OIDC_TOKEN");
  });

  test.each(["webhook", "api", "schedule", "rerun"] as const)("what started it is said once: %s", (trg) => {
    const got = environment(gitContext({ trg }));
    const said = ["HOOK", "API", "SCHEDULE"].filter((by) => got[`SEMAPHORE_WORKFLOW_TRIGGERED_BY_${by}`] === "true");
    expect(said).toEqual({ webhook: ["HOOK"], api: ["API"], schedule: ["SCHEDULE"], rerun: [] }[trg]);
    expect([got.SEMAPHORE_WORKFLOW_RERUN, got.SEMAPHORE_PIPELINE_RERUN]).toEqual(
      new Array(2).fill(String(trg === "rerun")),
    );
  });
});
