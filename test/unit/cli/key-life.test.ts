/** `signalbox key generate|change|delete|decide|hand-overs`: what they ask of the API, and what they say of its answers. */
import { describe, expect, test } from "vitest";
import type { Asked } from "./fake-api.ts";
import { accessKey, at, eachTest, id, projects } from "./fixtures.ts";

const site = eachTest();

const keys = `/api/v1/projects/${id}/keys`;
const path = `${keys}/${accessKey.id}`;
const found = (key: object = accessKey) => ({ ...projects, [`GET ${keys}`]: { items: [key], next: null } });
const key = (table: object, argv: string[], stdin?: string) =>
  site.withApi({ ...found(), ...table }, ["key", ...argv, "--project", "demo"], stdin);
const asked = (method: string) => site.asked().filter((call) => call.method === method);

describe("key generate", () => {
  const made = { ...accessKey, type: "ssh", public_key: "ssh-ed25519 AAAAC3Nza" };

  test("prints a line for authorized_keys and nothing else, and sends no secret", async () => {
    const table = { [`POST ${keys}/generate`]: made };
    const { code, stdout } = await key(table, ["generate", "deploy", "--login", "git", "--refs", "refs/tags/**"]);
    expect([code, stdout]).toEqual([0, "ssh-ed25519 AAAAC3Nza deploy\n"]);
    const ownId = expect.stringMatching(/^[0-9a-f-]{36}$/);
    const body = { id: ownId, name: "deploy", login: "git", policy: { refs: ["refs/tags/**"] } };
    expect(asked("POST").map((call) => call.body)).toEqual([body]);
  });
});

describe("key change", () => {
  const changed = { ...accessKey, name: "old", revision: 2 };
  const table = { [`PATCH ${path}`]: changed };

  test("renames and gives a policy without sending the secret", async () => {
    const { stdout } = await key(table, [
      "change",
      "deploy",
      "--name",
      "old",
      "--ref-type",
      "tag",
      "--proof",
      "webhook",
    ]);
    expect(stdout).toBe("changed key old: revision 2, secret 1\n");
    expect(asked("PATCH").map(({ body, ifMatch }) => [body, ifMatch])).toEqual([
      [{ name: "old", policy: { ref_types: ["tag"], proofs: ["webhook"] } }, undefined],
    ]);
  });

  test("replaces the secret from standard input, of the type that the key has, and never tells it", async () => {
    const { stdout, stderr } = await key(table, ["change", "deploy", "--value-file", "-"], "s3cret\n");
    expect(asked("PATCH")[0]?.body).toEqual({ secret: { type: "string", value: "s3cret" } });
    expect(stdout + stderr).not.toContain("s3cret");
  });

  test("with --revision is made only on top of that one", async () => {
    await key(table, ["change", "deploy", "--name", "old", "--revision", "7"]);
    expect(asked("PATCH")[0]?.ifMatch).toBe('"7"');
  });

  test.each([
    ["says nothing to change", [], "say what to change"],
    ["brings a private key to a string", ["--private-key", "-"], "a key of type string has no --private-key"],
    ["brings a login to a string", ["--name", "old", "--login", "root"], "a key of type string has no --login"],
    ["names a revision that is none", ["--name", "old", "--revision", "seven"], "whole number"],
  ])("that %s is a mistake of the command line, and changes nothing", async (_, argv, words) => {
    const { code, stderr } = await key(table, ["change", "deploy", ...argv], "PEM");
    expect([code, stderr, asked("PATCH")]).toEqual([2, expect.stringContaining(words), []]);
  });
});

test("key change of a login alone is not dropped in silence: it is sealed with the secret, which must come along", async () => {
  const ssh = found({ ...accessKey, type: "ssh" });
  const { code, stderr } = await key(ssh, ["change", "deploy", "--name", "old", "--login", "root"]);
  const words = "the secret of a key of type ssh needs --private-key FILE";
  expect([code, stderr, asked("PATCH")]).toEqual([2, expect.stringContaining(words), []]);
});

describe("key delete", () => {
  test("asks for no force of itself, and exits 1 where the server refuses", async () => {
    const gone = await key({ [`DELETE ${path}`]: null }, ["delete", "deploy"]);
    expect([gone.code, gone.stdout, asked("DELETE").map(({ url }) => url)]).toEqual([
      0,
      "deleted key deploy\n",
      [path],
    ]);
    expect((await key({}, ["delete", "deploy"])).code).toBe(1);
  });

  test.each([[], ["--force"]])("with --revision deletes only that one (%s)", async (...force) => {
    const table = { [`DELETE ${path}`]: { id, unshared: [], broken_jobs: [] } };
    await key(table, ["delete", "deploy", "--revision", "7", ...force]);
    expect(asked("DELETE").map(({ ifMatch }) => ifMatch)).toEqual(['"7"']);
  });

  test("with --force names every job that it breaks, with its state", async () => {
    const jobs = ["queued", "running"].map((state) => ({ id, name: `a ${state} one`, state }));
    const table = { [`DELETE ${path}`]: { id, unshared: [], broken_jobs: jobs } };
    const { stdout } = await key(table, ["delete", "deploy", "--force"]);
    const lines = jobs.map(({ name, state }) => `breaks ${state} job ${name} ${id}`);
    expect(stdout.split("\n")).toEqual(["deleted key deploy", ...lines, ""]);
    expect(asked("DELETE").map(({ url }) => url)).toEqual([`${path}?force=true`]);
    const { stdout: json } = await key(table, ["delete", "deploy", "--force", "--json"]);
    expect(JSON.parse(json)).toEqual({ deleted: id, unshared: [], broken_jobs: jobs });
  });
});

describe("key decide", () => {
  const decide = (answer: object, ...more: string[]) =>
    key({ [`POST ${path}/decision`]: answer }, ["decide", "deploy", "--ref", "refs/heads/x", "--on", "local", ...more]);

  test("a key that stays shut is said in words, and by exit code 1; one that opens exits 0", async () => {
    const shut = await decide({ allowed: false, explanation: "refused: refs/heads/x is not a protected ref" });
    expect([shut.code, shut.stdout]).toEqual([1, "refused: refs/heads/x is not a protected ref\n"]);
    expect(asked("POST")[0]?.body).toEqual({ ref: "refs/heads/x", agent_type: "local" });
    const opened = { allowed: true, explanation: "allowed: refs/heads/x matches refs/heads/*" };
    const { code, stdout } = await decide(opened, "--json");
    expect([code, JSON.parse(stdout)]).toEqual([0, opened]);
  });

  test("a branch's bare name is no ref, and nothing is asked", async () => {
    const { code } = await key({}, ["decide", "deploy", "--ref", "main", "--on", "local"]);
    expect([code, site.asked()]).toEqual([2, []]);
  });
});

describe("key hand-overs", () => {
  const handOver = { id, project_id: id, name: "Deploy", first_at: at, last_at: at, times: 2 };
  const another = { ...handOver, name: "Release", times: 1 };
  const pages = ({ url }: Asked) =>
    url.includes("cursor=") ? { items: [another], next: null } : { items: [handOver], next: "more" };

  test("since a day lists every page, as a table", async () => {
    const table = { [`GET ${path}/hand-overs`]: pages };
    const { stdout } = await key(table, ["hand-overs", "deploy", "--since", "2026-11-20"]);
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/).slice(3))).toEqual([
      ["TIMES", "NAME"],
      ["2", "Deploy"],
      ["1", "Release"],
      [],
    ]);
    const queries = site.asked().filter(({ url }) => url.includes("/hand-overs"));
    const since = "2026-11-20T00:00:00.000Z";
    expect(queries.map(({ url }) => new URL(url, "http://x").searchParams.get("since"))).toEqual([since, since]);
  });

  test("by id are told of a key that is no longer there", async () => {
    const table = { [`GET ${keys}`]: undefined, [`GET ${path}/hand-overs`]: { items: [handOver], next: null } };
    const { code, stdout } = await key(table, ["hand-overs", id, "--json"]);
    expect([code, JSON.parse(stdout)]).toEqual([0, [handOver]]);
  });

  test("since what is no time is a mistake of the command line, and nothing is asked", async () => {
    const { code, stderr } = await key({}, ["hand-overs", "deploy", "--since", "yesterday"]);
    expect([code, stderr, site.asked()]).toEqual([2, expect.stringContaining("--since takes a time"), []]);
  });
});
