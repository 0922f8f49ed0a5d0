/** `signalbox key` on the organization's keys: what it asks of the API, and what it says of the answers. */
import { expect, test } from "vitest";
import { accessKey, at, eachTest, id, projects } from "./fixtures.ts";

const site = eachTest();

const ofAll = { ...accessKey, project_id: null };
const table = { ...projects, "GET /api/v1/keys": { items: [ofAll], next: null } };
const share = {
  key_id: accessKey.id,
  project_id: id,
  project_name: "demo",
  shared_at: at,
  shared_by: id,
  last_used_at: null,
  last_used_job: null,
  seen_at: null,
  seen_by: null,
};

test("--organization makes the key there, and its value stays off the command line", async () => {
  const argv = ["key", "create", "deploy", "--organization", "--type", "string", "--value-file", "-"];
  const { code, stdout } = await site.withApi({ "POST /api/v1/keys": ofAll }, argv, "s3cret\n");
  expect([code, stdout.includes("s3cret")]).toEqual([0, false]);
  expect(site.asked().at(-1)?.body).toMatchObject({ name: "deploy", secret: { type: "string", value: "s3cret" } });
});

test("a key that is said to be nobody's, or everybody's, is a mistake of the command line", async () => {
  for (const scope of [[], ["--organization", "--project", "demo"]]) {
    const { code, stderr } = await site.withApi(table, ["key", "list", ...scope]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("--project or --organization")]);
  }
});

test("a list tells whose each key is", async () => {
  const keys = { items: [ofAll, { ...accessKey, name: "own", id }], next: null };
  const answers = { ...projects, [`GET /api/v1/projects/${id}/keys`]: keys };
  const { stdout } = await site.withApi(answers, ["key", "list", "--project", "demo"]);
  expect(stdout.split("\n").map((line) => line.split(/ {2,}/)[2])).toEqual([
    "OF",
    "organization",
    "project",
    undefined,
  ]);
});

test("share, shares and unshare find the key by its name, and unshare tells what it breaks", async () => {
  const answers = {
    ...table,
    [`POST /api/v1/keys/${ofAll.id}/shares`]: share,
    [`GET /api/v1/keys/${ofAll.id}/shares`]: { items: [share], next: null },
    [`DELETE /api/v1/keys/${ofAll.id}/shares/${id}`]: {
      key_id: ofAll.id,
      project_id: id,
      broken_jobs: [{ id, name: "Deploy", state: "queued" }],
    },
  };
  const said = async (...argv: string[]) => (await site.withApi(answers, ["key", ...argv])).stdout;
  expect(await said("share", ofAll.name, "--project", "demo")).toContain("with project demo");
  expect(site.asked().at(-1)?.body).toEqual({ project_id: id });
  expect(await said("shares", ofAll.name)).toContain(`demo     ${at}`);
  expect(await said("unshare", ofAll.name, "--project", "demo")).toContain(`breaks queued job Deploy ${id}`);
});

test("a forced delete names the projects and the jobs that it took the key from", async () => {
  const gone = { id: ofAll.id, unshared: [share], broken_jobs: [{ id, name: "Deploy", state: "running" }] };
  const answers = { ...table, [`DELETE /api/v1/keys/${ofAll.id}`]: gone };
  const { stdout } = await site.withApi(answers, ["key", "delete", ofAll.name, "--organization", "--force"]);
  expect(stdout).toContain("taken from project demo");
  expect(stdout).toContain("breaks running job Deploy");
});

test("where a leaked key of the organization went is told with the project of each job, as far as it is there", async () => {
  const handed = { id, name: "Deploy", first_at: at, last_at: at, times: 1 };
  const gone = id.replace(/1$/, "2");
  const items = [
    { ...handed, project_id: id },
    { ...handed, project_id: gone },
  ];
  const answers = { ...table, [`GET /api/v1/keys/${ofAll.id}/hand-overs`]: { items, next: null } };
  const { stdout } = await site.withApi(answers, ["key", "hand-overs", ofAll.name, "--organization"]);
  expect(stdout.split("\n").map((line) => line.split(/ {2,}/)[4])).toEqual(["PROJECT", "demo", gone, undefined]);
});
