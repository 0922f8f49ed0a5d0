/** Rotation of the signing key as its owner does it: by the command, with a wrangler that writes what it is given. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createWorld, envOf, finishJob, takeJob, type World } from "../support/api.ts";
import { type Harness, newSigningKey, startHarness } from "../support/harness.ts";
import { type Finished, startSignalbox } from "../support/processes.ts";

let harness: Harness;
let world: World;
let agent: string;
let folder: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
  folder = mkdtempSync(join(tmpdir(), "signalbox-rotate-"));
  const wrangler = join(folder, "wrangler");
  // It shows all that it was handed, and ends once the test has deployed what it wrote.
  writeFileSync(
    wrangler,
    `#!/bin/sh\necho "$@" > ${folder}/args\nenv > ${folder}/env\ncat > ${folder}/secret.part\nmv ${folder}/secret.part ${folder}/secret
while [ ! -e ${folder}/deployed ]; do sleep 0.05; done\n`,
  );
  chmodSync(wrangler, 0o755);
});
afterAll(async () => {
  await harness.close();
  rmSync(folder, { recursive: true, force: true });
});

const file = (name: string) => readFileSync(join(folder, name), "utf8");
const slots = async () => (await world.as(world.owner, "GET", "/api/v1/signing-keys")).body.items;
const kidOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid;

async function mint(): Promise<{ token: string; jobId: string }> {
  await world.startJob();
  const { jobId, request } = await takeJob(world, agent);
  await finishJob(world, agent, jobId);
  return { token: envOf(request, "SEMAPHORE_OIDC_TOKEN") ?? "", jobId };
}

const asOwner = () => ({
  SIGNALBOX_URL: harness.url.origin,
  SIGNALBOX_TOKEN: world.owner,
  SIGNALBOX_WRANGLER: join(folder, "wrangler"),
});
const audited = async () =>
  (await world.as(world.owner, "GET", "/api/v1/audit?limit=1000")).body.items.filter(
    ({ action }: { action: string }) => action === "signing_key.compromised",
  );

/** Runs the command; what it has wrangler write is deployed into that slot. */
async function rotate(args: readonly string[], vars: Record<string, string> = {}): Promise<Finished> {
  for (const name of ["args", "secret", "deployed"]) rmSync(join(folder, name), { force: true });
  const running = startSignalbox(["rotate", "signing-key", ...args], asOwner());
  const ended = running.ended.then(() => true);
  while (!existsSync(join(folder, "secret"))) {
    if (await Promise.race([ended, sleep(50)])) return running.ended;
  }
  const slot = file("args").trim().split(" ").at(-1) ?? "";
  await harness.deploy({ ...vars, [slot]: file("secret") });
  writeFileSync(join(folder, "deployed"), "");
  return running.ended;
}

it("a new key goes into the empty slot through wrangler, announced a day ahead, and no credential with it", async () => {
  const old = (await mint()).token;
  const { code, stdout, stderr } = await rotate(["--bits", "3072"]);
  expect(code, stderr).toBe(0);
  expect(file("args")).toBe("secret put SIGNING_KEY_2\n");
  expect(file("env")).not.toContain(world.owner);
  const [one, two] = await slots();
  expect(one).toMatchObject({ state: "active", kid: kidOf(old), replaceable: false });
  expect(two).toMatchObject({ state: "announced", bits: 3072, replaceable: false });
  const ahead = (Date.parse(two.activates_at) - Date.now()) / 1000;
  expect(ahead).toBeGreaterThan(86_300);
  expect(ahead).toBeLessThanOrEqual(86_400);
  expect(stdout).toContain(two.kid);
  expect(stdout + stderr).not.toContain(JSON.parse(file("secret")).d);
  expect(kidOf((await mint()).token)).toBe(kidOf(old));
});

it("a second rotation is refused while the first is announced, and while the old key's tokens live", async () => {
  const next = file("secret");
  await harness.deploy({ SIGNING_KEY_2: next });
  const early = await rotate([], { SIGNING_KEY_2: next });
  expect([early.code, early.stderr]).toEqual([1, expect.stringContaining("SIGNING_KEY_2 is announced")]);
  const signing = JSON.stringify({ ...JSON.parse(next), activates_at: Math.floor(Date.now() / 1000) - 1 });
  await harness.deploy({ SIGNING_KEY_2: signing });
  const [one, two] = await slots();
  expect([one.state, two.state, one.replaceable]).toEqual(["retired", "active", false]);
  expect(Date.parse(one.replaceable_at)).toBe(Date.parse(one.last_token_expires_at) + 300_000);
  const refused = await rotate([], { SIGNING_KEY_2: signing });
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(one.replaceable_at)]);
  expect(existsSync(join(folder, "secret"))).toBe(false);
  await harness.db
    .prepare("UPDATE identity_ledger SET expires_at = ?")
    .bind(Date.now() - 300_000)
    .run();
  const { code, stderr } = await rotate(["--activate-in", "90m"], { SIGNING_KEY_2: signing });
  expect([code, file("args")], stderr).toEqual([0, "secret put SIGNING_KEY_1\n"]);
});

it("a compromised key is overwritten at once; what it signed falls, and is listed", async () => {
  await harness.deploy({});
  const { token, jobId } = await mint();
  const early = await world.as(world.owner, "POST", "/api/v1/signing-keys/compromised", { kid: kidOf(token) });
  expect([early.status, await audited()]).toEqual([409, []]);
  const { code, stdout, stderr } = await rotate(["--compromised", "--json"]);
  expect(code, stderr).toBe(0);
  expect(file("args")).toBe("secret put SIGNING_KEY_1\n");
  const report = JSON.parse(stdout);
  expect(report.items.map(({ job_id }: { job_id: string }) => job_id)).toContain(jobId);
  expect(report.dead).toBe(report.items.length);
  expect((await audited())[0].details).toMatchObject({ kid: kidOf(token), dead: report.dead });
  const introspected = await world.as(null, "POST", "/api/v1/identity/introspect", { token });
  expect(introspected.body).toEqual({ active: false, reason: "unknown_key" });
  expect(kidOf((await mint()).token)).toBe((await slots())[0].kid);
});

it("a kid that neither a slot nor the ledger knows is refused, with the kids that they know", async () => {
  await harness.deploy({});
  const { token } = await mint();
  await harness.deploy({ SIGNING_KEY_1: newSigningKey(0) });
  const before = await audited();
  const [{ kid: held }] = await slots();
  const mistyped = await startSignalbox(["signing-keys", "--compromised", `${held}x`], asOwner()).ended;
  expect([mistyped.code, mistyped.stdout]).toEqual([1, ""]);
  expect(mistyped.stderr).toMatch(/^signalbox: \/kid: .* \(422 refused\)\n$/);
  expect(mistyped.stderr).toContain(`${held} (SIGNING_KEY_1)`);
  expect(mistyped.stderr).toContain(`, ${kidOf(token)}`);
  expect(await audited()).toEqual(before);
});

it("a key that was deployed away is known by its tokens, also once they have expired", async () => {
  await harness.deploy({});
  const { token, jobId } = await mint();
  await harness.deploy({ SIGNING_KEY_1: newSigningKey(0) });
  const command = ["signing-keys", "--compromised", kidOf(token), "--json"];
  const live = await startSignalbox(command, asOwner()).ended;
  expect([live.code, live.stdout]).toEqual([0, expect.stringContaining(jobId)]);
  await harness.db.prepare("UPDATE identity_ledger SET expires_at = ?").bind(Date.now()).run();
  const expired = await startSignalbox(command, asOwner()).ended;
  expect([expired.code, JSON.parse(expired.stdout)]).toEqual([0, { dead: 0, items: [] }]);
});

it("a compromised key that signed no token is overwritten all the same: none died", async () => {
  await harness.deploy({ SIGNING_KEY_1: newSigningKey(0) });
  const { code, stdout, stderr } = await rotate(["--compromised", "--json"]);
  expect([code, JSON.parse(stdout)], stderr).toEqual([0, { dead: 0, items: [] }]);
});

it("--print writes nothing anywhere, and its key is one that the Worker takes", async () => {
  await harness.deploy({});
  const { code, stdout, stderr } = await rotate(["--print", "--bits", "4096"]);
  expect([code, stderr]).toEqual([0, expect.stringContaining("For SIGNING_KEY_2")]);
  await harness.deploy({ SIGNING_KEY_2: stdout });
  expect((await slots())[1]).toMatchObject({ state: "announced", bits: 4096 });
});

it.each([2048, 3072, 4096])(
  "a key of %i bits signs a token that stands; anything else is named by health",
  async (bits) => {
    await harness.deploy({ SIGNING_KEY_1: newSigningKey(0, bits) });
    await world.startJob();
    const { jobId, request } = await takeJob(world, agent);
    const token = envOf(request, "SEMAPHORE_OIDC_TOKEN") ?? "";
    expect((token.split(".")[2] ?? "").length).toBe(Math.ceil(bits / 6));
    expect((await world.as(null, "POST", "/api/v1/identity/introspect", { token })).body.active).toBe(true);
    await finishJob(world, agent, jobId);
    await harness.deploy({ SIGNING_KEY_1: newSigningKey(0, bits === 2048 ? 1024 : bits + 512) });
    const { problems } = (await world.as(null, "GET", "/api/health")).body;
    expect(problems).toEqual([{ binding: "SIGNING_KEY_1", detail: expect.stringContaining("modulus of") }]);
  },
);
