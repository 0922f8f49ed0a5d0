/** A job asks for identity tokens as its users would: by our command, and by GitHub's own toolkit, unmodified. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createWorld, sha, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { type Running, signalbox, startSignalbox } from "../support/processes.ts";

const root = join(import.meta.dirname, "../..");

let harness: Harness;
let world: World;
let folder: string;
let cli: Record<string, string>;
let agent: Running;

beforeAll(async () => {
  harness = await startHarness({ SETTINGS: JSON.stringify({ next_sync_after_ms: 100 }) });
  await harness.deploy({ ISSUER: harness.url.origin });
  world = await createWorld(harness);
  folder = mkdtempSync(join(tmpdir(), "signalbox-token-"));
  cli = { SIGNALBOX_URL: harness.url.origin, SIGNALBOX_TOKEN: world.owner, TMPDIR: folder };
  const tokenFile = join(folder, "registration");
  writeFileSync(tokenFile, (await signalbox(["agent-type", "token", "linux"], cli)).stdout, { mode: 0o600 });
  agent = startSignalbox(["agent", "start", "--endpoint", harness.url.origin, "--token-file", tokenFile], {
    TMPDIR: folder,
  });
});

afterAll(async () => {
  agent?.kill("SIGTERM");
  await agent?.ended;
  await harness?.close();
  rmSync(folder, { recursive: true, force: true });
});

function runJob(command: string) {
  const start = ["job", "run", "--project", "web", "--ref", "refs/heads/main", "--sha", sha, "--agent-type", "linux"];
  const env = ["--env", `NODE=${process.execPath}`, "--env", `ROOT=${root}`];
  return signalbox([...start, ...env, "--follow", "--exit-status", "--command", command], cli);
}

it("our command prints a token for the audience that a profile allows, and the log shows none of it", async () => {
  const profile = ["identity-profile", "create", "vault", "--project", "web", "--audience", "vault", "--subject", "id"];
  expect((await signalbox(profile, cli)).code).toBe(0);
  const request = '"$NODE" "$ROOT/src/cli/main.ts" token --audience vault --subject id';
  const { stdout, code } = await runJob(
    [
      `T=$(${request}) && echo "token $T"`,
      'cut -d. -f2 <<< "$T" | tr _- /+ | base64 -d 2>/dev/null | grep -o \'"aud":"vault"\'',
      `F=$(${request} --format file) && stat -c %a "$F" && grep -c [e]yJ "$F"`,
      `${request} --refresh ~/r & until [ -s ~/r ]; do sleep 0.1; done; grep -c [e]yJ ~/r; kill $!`,
      `${request} --output ~/t --format gcp && stat -c %a ~/t && grep -c id_token ~/t`,
    ].join("\n"),
  );
  expect(code, stdout).toBe(0);
  expect(stdout).toContain("token ***");
  expect(stdout).toContain('"aud":"vault"');
  expect(stdout).toContain("600\n1\n");
  expect(stdout.match(/^600$/gm)).toHaveLength(2);
  expect(stdout.match(/^1$/gm)).toHaveLength(3);
  expect(stdout).not.toContain("eyJ");
});

it("an audience that no profile allows is refused by name, and the command says so", async () => {
  const { stdout, code } = await runJob('"$NODE" "$ROOT/src/cli/main.ts" token request --audience elsewhere');
  expect(code).toBe(1);
  expect(stdout).toContain("no identity profile of the project allows this audience");
});

it("GitHub's toolkit gets its token, where the project sets its variables", async () => {
  const path = `/api/v1/projects/${world.projectId}`;
  await world.as(world.owner, "PATCH", path, { github_token_variables: true });
  const script = `import("@actions/core").then(async (core) => {
    const token = await core.getIDToken("vault-of-github");
    const { aud } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
    console.log("got one for " + aud + ": " + token);
  });`;
  const profile = ["identity-profile", "create", "toolkit", "--project", "web", "--audience", "vault-of-github"];
  expect((await signalbox(profile, cli)).code).toBe(0);
  const { stdout, code } = await runJob(`cd "$ROOT" && "$NODE" --input-type=module -e '${script}'`);
  expect(code, stdout).toBe(0);
  expect(stdout).toContain("got one for vault-of-github: ***");
});
