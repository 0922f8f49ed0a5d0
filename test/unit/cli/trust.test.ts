/** `signalbox trust`: offline from files and standard input, and by the server's word. */
import { describe, expect, test } from "vitest";
import { claims, issuer, orgId, projectId, sub } from "../trust/tokens.ts";
import { eachTest, id, projects } from "./fixtures.ts";
import { runCli } from "./support.ts";

const site = eachTest();
const offline = ["--issuer", issuer, "--org", `acme:${orgId}`, "--project-name", `web:${projectId}`, "--repo", "web"];
const generate = (...more: string[]) =>
  runCli(["trust", "generate", "--cloud", "aws", "--ref", "refs/heads/main", ...more]);
const seconds = Math.floor(Date.now() / 1000);
const fresh = { ...claims, aud: "sts.amazonaws.com", iat: seconds, nbf: seconds, exp: seconds + 600 };
const jwt = (value: unknown) => `e30.${Buffer.from(JSON.stringify(value)).toString("base64url")}.x`;

async function policyFile(): Promise<string> {
  const { stdout } = await generate(...offline, "--only", "trust-policy.json");
  return await site.file("policy.json", stdout);
}

describe("trust generate", () => {
  test("works without a server, and prints one file alone or all as JSON", async () => {
    const { code, stdout } = await generate(...offline, "--only", "trust-policy.json");
    expect([code, JSON.parse(stdout).Statement[0].Condition.StringEquals["ci.example.com:sub"]]).toEqual([0, sub]);
    const whole = JSON.parse((await generate(...offline, "--json")).stdout);
    expect(whole.policy).toBe(stdout);
  });

  test("asks the server about a project that it names", async () => {
    const made = { cloud: "aws", audience: "a", subject_form: "semaphore", policy: "{}", artifacts: [], notes: [] };
    const api = await site.api({ ...projects, "POST /api/v1/trust/generate": made });
    const env = { SIGNALBOX_URL: api.url, SIGNALBOX_TOKEN: "x" };
    const { code } = await runCli(
      ["trust", "generate", "--cloud", "aws", "--ref", "refs/heads/main", "--project", "demo"],
      { env },
    );
    expect([code, api.asked.at(-1)?.body]).toEqual([
      0,
      { cloud: "aws", project_id: id, refs: ["refs/heads/main"], names: {}, session_tags: false },
    ]);
  });

  test.each([
    [["--only", "nope"], "trust-policy.json"],
    [
      ["--ref", "refs/heads/main*"],
      "--ref refs/heads/main*: must be a full ref such as refs/heads/main, or a prefix that ends in /**",
    ],
    [["--ref", "refs/heads/v**"], "--ref refs/heads/v**: must end in /**: a prefix that ends within a name"],
    [["--principal", "a b"], "--principal: must be letters"],
    [["--audience", "a b"], "--audience: must be printable"],
  ])("refuses %s, and says what fits", async (more, words) => {
    const { code, stderr } = await generate(...offline, ...more);
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
  });
});

describe("trust lint", () => {
  test("exits 0 where nothing is found, 1 where something is, 2 where it does not parse", async () => {
    expect((await runCli(["trust", "lint", "--cloud", "aws", await policyFile()])).code).toBe(0);
    const bad = { stdin: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}' };
    const { code, stdout } = await runCli(["trust", "lint", "--cloud", "aws"], bad);
    expect([code, stdout]).toEqual([1, expect.stringContaining("error everybody at Statement[0].Principal")]);
    const json = await runCli(["trust", "lint", "--cloud", "aws", "--json"], bad);
    expect(JSON.parse(json.stdout).findings.length).toBe(3);
    const none = await runCli(["trust", "lint", "--cloud", "aws"], { stdin: '{"Statement": [}' });
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("standard input: line 1, column 16")]);
    const empty = await runCli(["trust", "lint", "--cloud", "aws"], { stdin: "" });
    expect([empty.code, empty.stderr]).toEqual([2, expect.stringContaining("standard input: is empty")]);
  });

  test("refuses more than 64 KiB", async () => {
    const { code, stderr } = await runCli(["trust", "lint", "--cloud", "vault"], { stdin: " ".repeat(65_537) });
    expect([code, stderr]).toEqual([2, expect.stringContaining("65536 bytes")]);
  });
});

describe("trust explain", () => {
  test("exits 0 for a token that is accepted, from a file, the environment or its claims", async () => {
    const policy = await policyFile();
    const argv = ["trust", "explain", "--cloud", "aws", policy];
    const file = await site.file("token", `${jwt(fresh)}\n`);
    const ways = [
      runCli([...argv, "--jwt", file]),
      runCli(argv, { env: { SEMAPHORE_OIDC_TOKEN: jwt(fresh) } }),
      runCli([...argv, "--claims", "-"], { stdin: JSON.stringify(fresh) }),
    ];
    for (const { code, stdout, stderr } of await Promise.all(ways)) {
      expect([code, stderr, stdout]).toEqual([0, "", expect.stringMatching(/^accepted: /)]);
    }
  });

  test("exits 1 for one that is not, says what was compared, and never prints the token", async () => {
    const token = jwt({ ...fresh, sub: `${sub}-x` });
    const { code, stdout } = await runCli(["trust", "explain", "--cloud", "aws", await policyFile(), "--jwt", "-"], {
      stdin: token,
    });
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^refused: .*ci.example.com:sub.*this would fit/)]);
    expect(stdout).toContain("NOT MET");
    expect(stdout).not.toContain(token.split(".")[1]);
  });

  test("takes the policy or the token from standard input, not both", async () => {
    const argv = ["trust", "explain", "--cloud", "aws", "--claims", "-"];
    const { code, stderr } = await runCli(argv, { stdin: JSON.stringify(fresh) });
    expect([code, stderr]).toEqual([2, expect.stringContaining("a file for one of them")]);
  });

  test("does not repeat a token that was pasted where a file belongs", async () => {
    const token = jwt(fresh);
    const argv = ["trust", "explain", "--cloud", "aws", await policyFile(), "--jwt", token];
    const { code, stdout, stderr } = await runCli(argv);
    expect([code, stderr]).toEqual([2, expect.stringContaining("that is a token")]);
    expect(stdout + stderr).not.toContain(token.split(".")[1]);
  });

  test("asks the server about a job, and about a ref", async () => {
    const explanation = { cloud: "aws", verdict: "unknown", because: "b", parts: [], assumes: [] };
    const api = await site.api({ ...projects, "POST /api/v1/trust/explain": explanation });
    const env = { SIGNALBOX_URL: api.url, SIGNALBOX_TOKEN: "x" };
    const argv = ["trust", "explain", "--cloud", "aws"];
    const past = await runCli([...argv, "--job", id], { env, stdin: "{}" });
    expect([past.code, api.asked.at(-1)?.body]).toEqual([1, { cloud: "aws", policy: "{}", token: { job_id: id } }]);
    await runCli([...argv, "--job", id, "--jti", "j1", "--audience", "a"], { env, stdin: "{}" });
    expect(api.asked.at(-1)?.body).toEqual({
      cloud: "aws",
      policy: "{}",
      token: { job_id: id, audience: "a", jti: "j1" },
    });
    const asked = ["--project", "demo", "--ref", "refs/heads/x", "--audience", "a", "--subject", "id"];
    await runCli([...argv, ...asked, "--aws-tag", "ref", "--aws-tag", "prj_id"], {
      env,
      stdin: "{}",
    });
    const tags = { aws_session_tags: ["ref", "prj_id"] };
    const token = { project_id: id, ref: "refs/heads/x", audience: "a", subject: "id", ...tags };
    expect(api.asked.at(-1)?.body).toEqual({ cloud: "aws", policy: "{}", token });
  });

  test("says which of a job's tokens is explained, and what of the others", async () => {
    const mint = {
      jti: "j1",
      audience: "sts.amazonaws.com",
      subject_form: "id",
      sub: "s",
      issued_at: "2026-01-01T00:00:00.000Z",
      expires_at: "2026-01-01T00:10:00.000Z",
      is_default: false,
      aws_session_tags: { ref_type: "branch" },
      claims: ["repo"],
      verdict: "accepted",
      because: "b",
    };
    const other = { ...mint, jti: "j2", is_default: true, verdict: "refused", because: "wrong audience" };
    const explanation = { cloud: "aws", verdict: "accepted", because: "b", parts: [], assumes: [], mint: "j1" };
    const api = await site.api({ "POST /api/v1/trust/explain": { ...explanation, mints: [other, mint] } });
    const env = { SIGNALBOX_URL: api.url, SIGNALBOX_TOKEN: "x" };
    const argv = ["trust", "explain", "--cloud", "aws", "--job", id];
    const { code, stdout } = await runCli(argv, { env, stdin: "{}" });
    expect(code).toBe(0);
    expect(stdout).toMatch(/explained below: token j1\n {2}audience sts\.amazonaws\.com, subject form id: s\n/);
    expect(stdout).toContain("asked for by the job, 2026-01-01T00:00:00.000Z to 2026-01-01T00:10:00.000Z");
    expect(stdout).toContain("session tags ref_type=branch\n  chosen claims repo\n");
    expect(stdout).toMatch(/another, refused: token j2\n {2}wrong audience\n/);
  });

  test.each([
    [["--jti", "j"], "goes with --job"],
    [["--aws-tag", "ref"], "goes with --ref"],
    [["--aws-tag", "nope", "--project", "x", "--ref", "refs/heads/x"], "must be one of"],
    [["--audience", "a"], "a token has its own"],
    [["--jwt", "package.json", "--job", id], "one token is explained"],
    [[], "no token"],
    [["--project", "demo"], "go together"],
    [["--jwt", "-"], "is no JWT"],
  ])("says what is missing with %s", async (more, words) => {
    const { code, stderr } = await runCli(["trust", "explain", "--cloud", "aws", "package.json", ...more], {
      stdin: "x",
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
  });
});
