/** Who keeps a copy of a sealing key: told at the end of a setup and of a rotation, and asked for until somebody does. */
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateIdentity, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkEscrow } from "../../src/cli/doctor/sealing-key.ts";
import { createWorld, type World } from "../support/api.ts";
import { defaultVars, type Harness, newSealingKey, startHarness } from "../support/harness.ts";
import { runCli } from "../unit/cli/support.ts";

let harness: Harness;
let world: World;
let recipient: string;
const folder = mkdtempSync(join(tmpdir(), "escrow-"));
const keyText = defaultVars.ACCESS_KEY_ENCRYPTION;
const secondText = newSealingKey();

beforeAll(async () => {
  harness = await startHarness({ ACCESS_KEY_ENCRYPTION_2: secondText });
  world = await createWorld(harness);
  recipient = await identityToRecipient(await generateIdentity());
});
afterAll(async () => {
  await harness.close();
  rmSync(folder, { recursive: true });
});

const cli = (args: string[], stdin = "") =>
  runCli(args, { env: { SIGNALBOX_URL: harness.url.origin, SIGNALBOX_TOKEN: world.owner }, stdin });
const sealing = async () => (await world.as(world.owner, "GET", "/api/v1/sealing")).body;
const keyOf = async (state: string) => (await sealing()).items.find((key: { state: string }) => key.state === state);
const doctor = () => checkEscrow(harness.url, {}, world.owner);
const events = async () =>
  (await world.as(world.owner, "GET", "/api/v1/audit?limit=1000")).body.items.filter(
    ({ action }: { action: string }) => action === "sealing.escrow",
  );
const newFile = () => join(folder, crypto.randomUUID());

it("a sealing key that nobody keeps is warned of by check and doctor, and is no failure", async () => {
  const { key_id, escrow } = await keyOf("seals");
  expect(escrow).toBeNull();
  const checked = await cli(["sealing", "check"]);
  expect(checked.code).toBe(0);
  expect(checked.stderr).toContain(`nobody keeps a copy of the sealing key ${key_id}`);
  expect(await doctor()).toMatchObject({ verdict: "warning", detail: expect.stringContaining(key_id) });
});

it("who keeps none says so, and is warned on", async () => {
  expect((await cli(["sealing", "escrow", "--no-escrow"])).code).toBe(0);
  const { key_id, escrow } = await keyOf("seals");
  expect(escrow).toMatchObject({ how: "declined", recipient: null });
  expect((await cli(["sealing", "check"])).stderr).toContain(`nobody keeps a copy of the sealing key ${key_id}`);
  expect(await doctor()).toMatchObject({ verdict: "warning", detail: expect.stringContaining("no copy of") });
});

it("a key that the deployment does not know, or a file that holds none, is refused and nothing is remembered", async () => {
  const before = await events();
  const args = ["sealing", "escrow", "--key-file", "-", "--recipient", recipient, "--escrow-file", newFile()];
  const stranger = await cli(args, newSealingKey());
  expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringContaining("does not know")]);
  const none = await cli(args, "not a key");
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("holds no standard base64")]);
  const unasked = await cli(["sealing", "escrow", "--key-file", "-"], keyText);
  expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringContaining("no terminal")]);
  expect([stranger, none, unasked].some(({ stdout, stderr }) => `${stdout}${stderr}`.includes(keyText))).toBe(false);
  const unknown = await world.as(world.owner, "POST", "/api/v1/sealing/escrows", {
    key_id: "00".repeat(8),
    how: "shown",
  });
  expect([unknown.status, unknown.body.errors[0].pointer]).toEqual([422, "/key_id"]);
  expect(await events()).toEqual(before);
});

it("once a copy is kept nobody is warned any more, and who declines later takes nothing away", async () => {
  const file = newFile();
  const secrets = newFile();
  await writeFile(secrets, `# serve's own\nACCESS_KEY_ENCRYPTION='${keyText}'\nBOOTSTRAP_TOKEN='x'\n`, { mode: 0o600 });
  const kept = await cli(["sealing", "escrow", "--key-file", secrets, "--recipient", recipient, "--escrow-file", file]);
  expect([kept.code, kept.stderr]).toEqual([0, ""]);
  const { key_id, escrow } = await keyOf("seals");
  expect(escrow).toMatchObject({ how: "recipient", recipient });
  expect(kept.stdout).toContain(`${key_id}: encrypted to ${recipient}`);
  await cli(["sealing", "escrow", "--no-escrow"]);
  expect((await keyOf("seals")).escrow).toEqual(escrow);
  expect(await doctor()).toMatchObject({ verdict: "ok" });
  expect((await cli(["sealing", "check"])).stderr).not.toContain(key_id);
  const [last] = await events();
  expect(last.details).toMatchObject({ key_id, how: "declined" });
  expect(JSON.stringify(await events())).not.toContain(keyText);
});

it("a rotation ends with its key kept: what it resumes with is warned of until then", async () => {
  const { key_id: fresh } = await keyOf("new");
  // The slot was filled by hand, so that this run only switches.
  const rotated = await cli(["rotate", "sealing-key", "--no-escrow"]);
  expect([rotated.code, rotated.stderr]).toEqual([
    0,
    expect.stringContaining(`nobody keeps a copy of the sealing key ${fresh}`),
  ]);
  const args = ["sealing", "escrow", "--key-file", "-", "--recipient", recipient, "--escrow-file", newFile()];
  expect((await cli(args, secondText)).code).toBe(0);
  expect(await keyOf("seals")).toMatchObject({ key_id: fresh, escrow: { how: "recipient" } });
  // A run that makes the key remembers its copy before the key is put anywhere.
  await harness.deploy({ ACCESS_KEY_ENCRYPTION: undefined, ACCESS_KEY_ENCRYPTION_2: secondText });
  const keyFile = newFile();
  const made = await cli([
    ...["rotate", "sealing-key", "--key-file", keyFile, "--recipient", recipient, "--escrow-file", newFile()],
  ]);
  expect(made.code, made.stderr).toBe(0);
  const [{ details }] = await events();
  expect(details).toMatchObject({ how: "recipient", recipient });
  expect(made.stderr).toContain(details.key_id);
});
