/** What becomes of a key once it is stored: renamed, replaced, deleted by force, judged, and where it went. */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { addKey, createWorld, envOf, fetchJob, finishJob, jobWithKeys, takeJob, type World } from "../support/api.ts";
import { rowCounts } from "../support/at-rest.ts";
import { type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;
let agent: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
});
afterAll(() => harness.close());

const path = (id: string) => `/api/v1/projects/${world.projectId}/keys/${id}`;
const change = (id: string, patch: object, revision?: number) =>
  harness.fetch(path(id), {
    method: "PATCH",
    body: JSON.stringify(patch),
    headers: {
      authorization: `Bearer ${world.owner}`,
      "content-type": "application/json",
      ...(revision === undefined ? {} : { "if-match": `"${revision}"` }),
    },
  });
const sealedOf = (id: string) =>
  harness.db.prepare("SELECT hex(sealed) AS sealed FROM access_keys WHERE id = ?").bind(id).first("sealed");

it("a rename leaves the sealed record alone, and reaches a job that was started under the old name", async () => {
  const id = await addKey(world, "old-name", { type: "string", value: "kept" });
  const sealed = await sealedOf(id);
  await world.startJob(jobWithKeys("old-name"));
  const answer = await change(id, { name: "new-name" }, 1);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ name: "new-name", revision: 2, secret_version: 1, type: "string" });
  expect(await sealedOf(id)).toBe(sealed);
  const { jobId, request } = await takeJob(world, agent);
  expect(envOf(request, "OLD_NAME")).toBe("kept");
  await finishJob(world, agent, jobId);
});

it("a replaced secret is what the next job gets, and the record before it opens no more", async () => {
  const id = await addKey(world, "replaced", { type: "string", value: "before" });
  const old = await harness.db
    .prepare("SELECT sealed FROM access_keys WHERE id = ?")
    .bind(id)
    .first<number[]>("sealed");
  expect((await change(id, { secret: { type: "string", value: "after" } })).status).toBe(200);
  await world.startJob(jobWithKeys("replaced"));
  const { jobId, request } = await takeJob(world, agent);
  expect(envOf(request, "REPLACED")).toBe("after");
  await finishJob(world, agent, jobId);
  await harness.db
    .prepare("UPDATE access_keys SET sealed = ? WHERE id = ?")
    .bind(new Uint8Array(old ?? []), id)
    .run();
  const started = await world.startJob(jobWithKeys("replaced"));
  await world.as(agent, "POST", "/api/v1/self_hosted_agents/sync", { state: "waiting-for-jobs" });
  const { body } = await world.as(world.owner, "GET", `/api/v1/jobs/${started}`);
  await fetchJob(world, agent, started);
  const ended = await world.as(world.owner, "GET", `/api/v1/jobs/${started}`);
  expect([body.state, ended.body.result]).toEqual(["running", "failed"]);
  await world.as(agent, "POST", "/api/v1/self_hosted_agents/sync", { state: "waiting-for-jobs" });
});

it("If-Match on an old revision answers 412 and changes nothing; of ten changes at once by one revision, one is done", async () => {
  const id = await addKey(world, "matched", { type: "string", value: "x" });
  expect((await change(id, { name: "matched-2" }, 1)).status).toBe(200);
  const before = await rowCounts(harness);
  expect((await change(id, { name: "matched-3" }, 1)).status).toBe(412);
  expect(await rowCounts(harness)).toEqual(before);
  const many = await Promise.all([...Array(10).keys()].map((at) => change(id, { name: `many-${at}` }, 2)));
  expect(many.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(412)]);
});

it("a change to another key's name, another type, or nothing is refused by its field", async () => {
  const id = await addKey(world, "first", { type: "string", value: "x" });
  await addKey(world, "second", { type: "none" });
  const refused = async (patch: object) => {
    const answer = await change(id, patch);
    const { errors } = (await answer.json()) as { errors: { pointer: string }[] };
    return [answer.status, errors[0]?.pointer];
  };
  expect(await refused({ name: "second" })).toEqual([409, "/name"]);
  expect(await refused({ secret: { type: "none" } })).toEqual([422, "/secret/type"]);
  expect((await refused({}))[0]).toBe(400);
});

it("a delete is refused with the names of the jobs that name the key; a forced one names the jobs that it breaks", async () => {
  const id = await addKey(world, "forced", { type: "string", value: "x" });
  const job = await world.startJob(jobWithKeys("forced"));
  const refused = await world.as(world.owner, "DELETE", path(id));
  expect(refused.status).toBe(409);
  expect(refused.body.detail).toContain(job);
  const forced = await world.as(world.owner, "DELETE", `${path(id)}?force=true`);
  expect(forced.status).toBe(200);
  expect(forced.body.broken_jobs).toMatchObject([{ id: job, state: "queued" }]);
  await world.as(agent, "POST", "/api/v1/self_hosted_agents/sync", { state: "waiting-for-jobs" });
  expect((await fetchJob(world, agent, job)).status).toBe(404);
  const { body } = await world.as(world.owner, "GET", `/api/v1/jobs/${job}`);
  expect(body).toMatchObject({ result: "failed", reason: "access key forced: no such key in this project" });
  await world.as(agent, "POST", "/api/v1/self_hosted_agents/sync", { state: "waiting-for-jobs" });
});

it("tells every job that was handed a key since a time, even once it is deleted, and to its project alone", async () => {
  const id = await addKey(world, "leaked", { type: "string", value: "x" });
  const handed: string[] = [];
  for (let round = 0; round < 2; round++) {
    await world.startJob(jobWithKeys("leaked"));
    const { jobId } = await takeJob(world, agent);
    await finishJob(world, agent, jobId);
    handed.push(jobId);
  }
  const asked = async (since = "") => (await world.as(world.owner, "GET", `${path(id)}/hand-overs${since}`)).body.items;
  const items = await asked();
  expect(items.map((item: { id: string }) => item.id)).toEqual(handed);
  expect((await asked(`?since=${items[1].first_at}`)).map((item: { id: string }) => item.id)).toEqual([handed[1]]);
  const [, second] = items;
  for (const form of [
    second.first_at.replace(/\.\d+Z/, "Z"),
    second.first_at.replace("Z", "000-00:00"),
    "2026-01-01T00:00:00Z",
  ]) {
    expect(await asked(`?since=${form}`), form).toContainEqual(second);
  }
  for (const form of ["2026-11-20", "yesterday", ""]) {
    const refused = await world.as(world.owner, "GET", `${path(id)}/hand-overs?since=${form}`);
    expect([refused.status, refused.body.errors[0].pointer], form).toEqual([400, "?since"]);
  }
  expect((await world.as(world.owner, "DELETE", path(id))).status).toBe(204);
  expect(await asked()).toEqual(items);
  const elsewhere = path(id).replace(world.projectId, crypto.randomUUID());
  expect((await world.as(world.owner, "GET", `${elsewhere}/hand-overs`)).status).toBe(404);
});

it("says in words why a key would open on a ref, and why not", async () => {
  const policy = { refs: ["refs/heads/main", "refs/tags/v*"] };
  const id = await addKey(world, "judged", { type: "none" }, { policy });
  const judged = async (ref: string) =>
    (await world.as(world.owner, "POST", `${path(id)}/decision`, { ref, agent_type: "any" })).body;
  expect(await judged("refs/tags/v1")).toEqual({
    allowed: true,
    explanation: "allowed: refs/tags/v1 matches refs/tags/v*",
  });
  expect(await judged("refs/heads/x")).toEqual({
    allowed: false,
    explanation: "refused: refs/heads/x matches none of refs/heads/main, refs/tags/v*",
  });
});

it("a generated key shows its public half, hands its private half to jobs alone, and is one key however often asked", async () => {
  const body = { id: crypto.randomUUID(), name: "generated", policy: { refs: ["refs/**"] } };
  const made = () => world.as(world.owner, "POST", path("generate"), body);
  const [first, again] = [await made(), await made()];
  expect([first.status, again.status]).toEqual([201, 200]);
  expect(again.body).toEqual(first.body);
  expect(first.body.public_key).toMatch(/^ssh-ed25519 /);
  expect(first.body.fingerprint).toMatch(/^SHA256:/);
  expect(first.text).not.toContain("PRIVATE");
  await world.startJob(jobWithKeys("generated"));
  const { jobId, request } = await takeJob(world, agent);
  expect(Buffer.from(request.files[0].content, "base64").toString()).toContain("BEGIN OPENSSH PRIVATE KEY");
  await finishJob(world, agent, jobId);
});

it("an encrypted private key is stored with its passphrase alone, and refused for the passphrase without it", async () => {
  const cipher = { cipher: "aes-256-cbc", passphrase: "opens-it" } as const;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  for (const type of ["sec1", "pkcs8"] as const) {
    const private_key = String(privateKey.export({ type, format: "pem", ...cipher }));
    const stored = (passphrase: string) =>
      world.as(world.owner, "POST", path("").slice(0, -1), {
        name: `encrypted-${type}`,
        secret: { type: "ssh", private_key, passphrase },
      });
    for (const passphrase of ["", "wrong"]) {
      const { status, body } = await stored(passphrase);
      expect([status, body.errors[0].pointer]).toEqual([400, "/secret/passphrase"]);
    }
    const { status, body } = await stored("opens-it");
    expect([status, body.public_key?.split(" ")[0]]).toEqual([201, "ecdsa-sha2-nistp256"]);
  }
});

/** What ssh-keygen writes on the user's machine. */
function sshKeygen(rounds: number, ...more: string[]): { pem: string; publicKey: string } {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-test-"));
  try {
    const file = join(folder, "id");
    const how = ["-q", "-t", "ed25519", "-C", "me@laptop", "-N", "opens-it", "-a", String(rounds), "-f", file];
    execFileSync("ssh-keygen", [...how, ...more]);
    return { pem: readFileSync(file, "utf8"), publicKey: readFileSync(`${file}.pub`, "utf8").trim() };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const store = (name: string, private_key: string, passphrase: string) =>
  world.as(world.owner, "POST", path("").slice(0, -1), { name, secret: { type: "ssh", private_key, passphrase } });

it.each(["aes256-ctr", "aes256-cbc"])(
  "an OpenSSH key that %s and 16 bcrypt rounds encrypt is described; a wrong passphrase is named, nothing stored",
  async (cipher) => {
    const { pem, publicKey } = sshKeygen(16, "-Z", cipher);
    const before = await rowCounts(harness);
    for (const passphrase of ["", "wrong"]) {
      const { status, body, text } = await store("openssh", pem, passphrase);
      expect([status, body.errors?.[0]?.pointer]).toEqual([400, "/secret/passphrase"]);
      expect(text).not.toContain("wrong");
    }
    expect(await rowCounts(harness)).toEqual(before);
    const { status, body } = await store(`openssh-${cipher.slice(7, 10)}`, pem, "opens-it");
    expect([status, `${body.public_key} ${body.comment}`]).toEqual([201, publicKey]);
  },
);

it("an OpenSSH key of 64 bcrypt rounds is taken, one of 65 refused for itself, with what to do about it", async () => {
  expect((await store("rounds-64", sshKeygen(64).pem, "opens-it")).status).toBe(201);
  const before = await rowCounts(harness);
  const { status, body } = await store("rounds-65", sshKeygen(65).pem, "opens-it");
  expect([status, body.errors[0].pointer]).toEqual([400, "/secret/private_key"]);
  expect(body.errors[0].detail).toMatch(/65 bcrypt rounds.*ssh-keygen -p -a 16/);
  expect(await rowCounts(harness)).toEqual(before);
});
