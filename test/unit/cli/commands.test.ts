import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { accessKey, at, eachTest, id, project, projects } from "./fixtures.ts";
import { runCli } from "./support.ts";

const site = eachTest();

describe("the command line", () => {
  test("documents its exit codes", async () => {
    const { code, stdout } = await runCli(["--help"]);
    expect(code).toBe(0);
    for (const line of ["0    done", "1    refused", "2    the command", "3    the server", "130  stopped"]) {
      expect(stdout).toContain(line);
    }
  });

  test("tells its version", async () => {
    const manifest: { version: string } = JSON.parse(await readFile("package.json", "utf8"));
    expect(await runCli(["--version"])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: "" });
  });

  for (const argv of [
    ["nope"],
    ["key", "create", "k"],
    ["agent-type", "token", "t", "--uses", "many"],
    ["logs", id, "--from", "-1"],
  ]) {
    test(`exits 2 for ${argv.join(" ")}`, async () => expect((await runCli(argv)).code).toBe(2));
  }

  test("has no option that takes a token or a secret itself", async () => {
    const helps = await Promise.all(
      [["--help"], ["key", "create", "--help"], ["agent", "start", "--help"], ["job", "run", "--help"]].map((argv) =>
        runCli(argv),
      ),
    );
    const flags = helps.flatMap(({ stdout }) => stdout.match(/--[a-z-]+ <[^>]+>/g) ?? []);
    const secretFlags = flags.filter((flag) =>
      /token|password|passphrase|private|value|secret/.test(flag.split(" ")[0] ?? ""),
    );
    expect(secretFlags.length).toBeGreaterThan(5);
    for (const flag of secretFlags) expect(flag).toMatch(/file>$|<name=file>$/);
  });

  test("exits 3 where nothing answers", async () => {
    const { code, stderr } = await runCli(["--url", "http://127.0.0.1:9", "project", "list"], {
      env: { SIGNALBOX_TOKEN: "x" },
    });
    expect([code, stderr]).toEqual([3, expect.stringContaining("cannot reach http://127.0.0.1:9")]);
  });
});

describe("credentials", () => {
  test("are never sent in clear over a network", async () => {
    const { code, stderr } = await runCli(["--url", "http://ci.example.com", "project", "list"], {
      env: { SIGNALBOX_TOKEN: "x" },
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining("use https")]);
  });

  test("of the local owner are not sent to another server", async () => {
    await site.file("owner-token", "local-owner\n");
    const env = { SIGNALBOX_DATA: site.folder() };
    const { code, stderr } = await runCli(["--url", "https://ci.example.invalid", "project", "list"], { env });
    expect([code, stderr]).toEqual([2, expect.stringContaining("no API token")]);
  });

  test("of the local owner, and the local server's address, are found in the data folder", async () => {
    const api = await site.api(projects);
    await site.file("owner-token", "local-owner\n");
    await site.file("url", `${api.url}\n`);
    const { code } = await runCli(["project", "list"], { env: { SIGNALBOX_DATA: site.folder() } });
    expect(code).toBe(0);
    expect(api.asked[0]?.authorization).toBe("Bearer local-owner");
  });
});

describe("results", () => {
  test("are a table for people", async () => {
    const { stdout } = await site.withApi(projects, ["project", "list"]);
    expect(stdout).toBe(`NAME  REPOSITORY  DEFAULT BRANCH   ID\ndemo  local/demo  refs/heads/main  ${id}\n`);
  });

  test("are the API's own JSON with --json, wherever it stands", async () => {
    const { stdout } = await site.withApi(projects, ["project", "list", "--json"]);
    expect(JSON.parse(stdout)).toEqual([project]);
  });

  test("that name nothing visible exit 1", async () => {
    const { code, stderr } = await site.withApi({ "GET /api/v1/projects": { items: [], next: null } }, [
      "project",
      "show",
      "gone",
    ]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("no project named gone")]);
  });
});

describe("key create", () => {
  const table = { ...projects, [`POST /api/v1/projects/${id}/keys`]: accessKey };

  test("takes the value from standard input, without the newline that echo adds", async () => {
    const argv = ["key", "create", "deploy", "--project", "demo", "--type", "string", "--value-file", "-"];
    const { code } = await site.withApi(table, argv, "s3cret\n");
    expect(code).toBe(0);
    expect(site.asked().at(-1)?.body).toMatchObject({
      name: "deploy",
      secret: { type: "string", value: "s3cret" },
      policy: {},
    });
  });

  test("turns its flags into the policy", async () => {
    const key = await site.file("id", "PEM");
    const policy = [
      "--refs",
      "refs/heads/*",
      "--refs",
      "refs/tags/**",
      "--ref-type",
      "tag",
      "--agent-type",
      "a",
      "--forks",
      "--proof",
      "webhook",
    ];
    await site.withApi(table, [
      "key",
      "create",
      "k",
      "--project",
      id,
      "--type",
      "ssh",
      "--private-key",
      key,
      ...policy,
    ]);
    expect(site.asked().at(-1)?.body).toBeUndefined();
    await site.withApi({ ...table, [`GET /api/v1/projects/${id}`]: project }, [
      "key",
      "create",
      "k",
      "--project",
      id,
      "--type",
      "ssh",
      "--private-key",
      key,
      ...policy,
    ]);
    expect(site.asked().at(-1)?.body).toMatchObject({
      secret: { type: "ssh", login: "", private_key: "PEM", passphrase: "" },
      policy: {
        refs: ["refs/heads/*", "refs/tags/**"],
        ref_types: ["tag"],
        agent_types: ["a"],
        forks: true,
        proofs: ["webhook"],
      },
    });
  });

  test("refuses a type without its material, before anything is asked", async () => {
    const { code, stderr } = await site.withApi(table, [
      "key",
      "create",
      "k",
      "--project",
      "demo",
      "--type",
      "login_password",
    ]);
    expect([code, stderr, site.asked()]).toEqual([2, expect.stringContaining("--password-file"), []]);
  });
});

test("project set changes only what it names, and only what nobody changed since", async () => {
  const table = { ...projects, [`PATCH /api/v1/projects/${id}`]: project };
  const { code } = await site.withApi(table, ["project", "set", "demo", "--protect", "refs/heads/rel/*"]);
  expect(code).toBe(0);
  expect(site.asked().at(-1)?.body).toEqual({ protected_refs: ["refs/heads/rel/*"] });
  const { stdout } = await site.withApi(table, ["project", "set", "demo", "--log-retention-days", "7"]);
  expect(site.asked().at(-1)?.body).toEqual({ log_retention_days: 7 });
  expect(stdout).toContain("30 days");
});

test("a registration token may have any number of uses and no end, and then a warning", async () => {
  const type = {
    id,
    name: "local",
    policy: { project_ids: [id], refs: "protected", forks: false },
    certificates: null,
    revision: 1,
    created_at: at,
    created_by: id,
  };
  const made = { id, agent_type_id: id, uses_left: null, expires_at: null, created_at: at, token: "reg-token" };
  const table = {
    "GET /api/v1/agent-types": { items: [type], next: null },
    [`POST /api/v1/agent-types/${id}/registration-tokens`]: made,
  };
  const { stdout, stderr } = await site.withApi(table, [
    "agent-type",
    "token",
    "local",
    "--uses",
    "unlimited",
    "--expires",
    "never",
  ]);
  expect([stdout, stderr]).toEqual(["reg-token\n", expect.stringContaining("for ever")]);
  expect(site.asked().at(-1)?.body).toMatchObject({ uses: null, expires_in_seconds: null });
});
