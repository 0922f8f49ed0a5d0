/** Organization, ledger and preview from the command line, against an API that notes what it was asked. */
import { describe, expect, test } from "vitest";
import { at, eachTest, id, project, projects } from "./fixtures.ts";

const site = eachTest();
const organization = (word: string) => ({ id, name: "acme", settings: { pull_request_word: word } });
const told = () => site.asked().filter(({ method }) => method !== "GET");

describe("organization", () => {
  const table = {
    "GET /api/v1/organization": organization("pr"),
    "PATCH /api/v1/organization": organization("pull-request"),
  };

  test("show tells its name and how subjects call a pull request", async () => {
    const { code, stdout } = await site.withApi(table, ["organization", "show"]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/name +acme\n(.*\n)*pull requests in subjects +pr\n/)]);
    const json = await site.withApi(table, ["organization", "show", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual(organization("pr"));
  });

  test("set changes the word, and shows what is then", async () => {
    const { code, stdout } = await site.withApi(table, ["organization", "set", "--pull-request-word", "pull-request"]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/pull requests in subjects +pull-request\n/)]);
    expect(told().map(({ body }) => body)).toEqual([{ pull_request_word: "pull-request" }]);
  });

  test.each([
    ["nothing", []],
    ["another word", ["--pull-request-word", "merge-request"]],
  ])("set of %s exits 2 and asks nothing", async (_, argv) => {
    const { code } = await site.withApi(table, ["organization", "set", ...argv]);
    expect([code, site.asked()]).toEqual([2, []]);
  });
});

describe("project ledger", () => {
  const mint = {
    jti: "0198d3a0-0000-7000-8000-00000000000a",
    kid: "k",
    aud: "vault",
    sub: "org:acme:project:x",
    issued_at: at,
    expires_at: at,
    agent_id: id,
    claim_number: 1,
    job_id: id,
  };
  const path = `GET /api/v1/projects/${id}/identity/ledger`;

  test("shows each token's audience, job and subject, and asks for the audience and as many as were named", async () => {
    const table = { ...projects, [path]: { items: [mint], next: null } };
    const { code, stdout, stderr } = await site.withApi(table, [
      "project",
      "ledger",
      "demo",
      "--audience",
      "vault",
      "--last",
      "7",
    ]);
    const [head, row] = stdout.split("\n").map((line) => line.split(/ {2,}/));
    expect([code, stderr, head]).toEqual([0, "", ["ISSUED", "EXPIRES", "AUDIENCE", "JOB", "TOKEN", "SUBJECT"]]);
    expect(row).toEqual([at, at, "vault", id, mint.jti, mint.sub]);
    const query = new URL(site.asked().at(-1)?.url ?? "", "http://x").searchParams;
    expect(Object.fromEntries(query)).toEqual({ audience: "vault", limit: "7" });
  });

  test("says where there are older ones", async () => {
    const table = { ...projects, [path]: { items: [mint], next: "more" } };
    const { stderr } = await site.withApi(table, ["project", "ledger", "demo"]);
    expect(stderr).toContain("There are older ones");
  });

  test.each(["0", "1001", "many"])("of the last %s exits 2 and asks nothing", async (count) => {
    const { code } = await site.withApi(projects, ["project", "ledger", "demo", "--last", count]);
    expect([code, site.asked()]).toEqual([2, []]);
  });
});

describe("identity preview", () => {
  const names = [
    "iss",
    "aud",
    "sub",
    "jti",
    "branch",
    "pr",
    "ref",
    "tag",
    "repo",
    "prj_id",
    "wf_id",
    "ppl_id",
    "job_id",
  ];
  const more = ["org", "org_id", "prj", "ref_type", "ref_protected", "sha", "fork", "pr_number", "pr_branch", "actor"];
  const rest = ["job_type", "trg", "proof", "environment", "runner_environment", "repo_slug", "sub127"];
  const texts = Object.fromEntries([...names, ...more, ...rest].map((name) => [name, `the ${name}`]));
  const preview = (over: object = {}) => ({
    minted: true,
    reason: null,
    header: { alg: "RS256", kid: "k", typ: "JWT" },
    claims: { ...texts, exp: 3, iat: 2, nbf: 1 },
    subjects: [
      {
        form: "semaphore",
        value: "s",
        bytes: 200,
        cut: false,
        fits: [
          { relying_party: "OpenID Connect Core", bytes_max: 255, fits: true },
          { relying_party: "Google Cloud (google.subject)", bytes_max: 127, fits: false },
        ],
      },
    ],
    ...over,
  });
  const table = (over: object = {}) => ({
    ...projects,
    [`POST /api/v1/projects/${project.id}/identity/preview`]: preview(over),
  });
  const run = (argv: string[], over: object = {}) =>
    site.withApi(table(over), ["identity", "preview", "--project", "demo", ...argv]);

  test("shows header, claims, and each subject against each cloud's limit", async () => {
    const { code, stdout } = await run(["--ref", "refs/heads/main"]);
    expect(code).toBe(0);
    expect(stdout).toContain("such a job gets this token\n");
    expect(stdout).toMatch(/kid +"k"\n/);
    for (const [name, value] of Object.entries(texts)) expect(stdout).toMatch(new RegExp(` ${name} +"${value}"\n`));
    expect(stdout).toContain("subject semaphore: 200 bytes\n");
    expect(stdout).toMatch(/OpenID Connect Core +255 +fits\n/);
    expect(stdout).toMatch(/google\.subject\) +127 +TOO LONG\n/);
    expect(told().map(({ body }) => body)).toEqual([{ ref: "refs/heads/main" }]);
  });

  test("says why such a job gets none, and that a subject is cut", async () => {
    const [subject] = preview().subjects;
    const { stdout } = await run(["--ref", "refs/heads/main"], {
      minted: false,
      reason: "the project sets identity to none",
      subjects: [{ ...subject, cut: true }],
    });
    expect(stdout).toContain("such a job gets no token: the project sets identity to none\n");
    expect(stdout).toContain("200 bytes, cut: it ends in a hash");
  });

  test("tells of a pull request what was named, its number by its ref", async () => {
    const argv = ["--ref", "refs/pull/12/merge", "--no-fork", "--title", "Update", "--branch", "patch"];
    await run(argv);
    const pull_request = { number: 12, title: "Update", branch: "patch" };
    expect(told()[0]?.body).toEqual({ ref: "refs/pull/12/merge", fork: false, pull_request });
  });

  test.each([
    ["no ref", []],
    ["a short ref", ["--ref", "main"]],
    ["a title for a branch", ["--ref", "refs/heads/main", "--title", "x"]],
    ["a short commit", ["--ref", "refs/heads/main", "--sha", "abc"]],
  ])("of %s exits 2 and asks nothing", async (_, argv) => {
    const { code } = await run(argv);
    expect([code, site.asked()]).toEqual([2, []]);
  });
});
