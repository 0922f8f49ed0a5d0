/** The vault over HTTP: what goes in, what is shown, what a job is handed, and that nothing else ever shows it. */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  addKey,
  addProject,
  createWorld,
  envOf,
  finishJob,
  jobStart,
  jobWithKeys,
  takeJob,
  type World,
} from "../support/api.ts";
import { dumpDatabase, formsOf, rowCounts } from "../support/at-rest.ts";
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

const path = () => `/api/v1/projects/${world.projectId}/keys`;

const create = (body: object) => world.as(world.owner, "POST", path(), body);

const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();

/** Runs a job that names these keys, to see what its agent is handed. */
async function handedOver(keys: object[]) {
  await world.startJob({ spec: { commands: ["true"], keys } });
  const { jobId, request } = await takeJob(world, agent);
  await finishJob(world, agent, jobId);
  return request;
}

const contentOf = (file: { content: string }) => Buffer.from(file.content, "base64").toString();

describe("a key of each type", () => {
  const secrets = {
    ssh: { type: "ssh", login: "deploy", private_key: pem, passphrase: "canary-passphrase" },
    login_password: { type: "login_password", login: "robot", password: "canary-password" },
    string: { type: "string", value: "canary-value" },
    none: { type: "none" },
  };

  it.each(Object.entries(secrets))("%s is stored, shown and listed without its secret", async (type, secret) => {
    const name = `kind-${type.replace("_", "-")}`;
    const answer = await create({ name, secret });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      name,
      type,
      project_id: world.projectId,
      revision: 1,
      secret_version: 1,
      last_used_at: null,
    });
    const shown = await world.as(world.owner, "GET", `${path()}/${answer.body.id}`);
    const listed = await world.as(world.owner, "GET", `${path()}?name=${name}`);
    expect(shown.body).toEqual(answer.body);
    expect(listed.body.items).toEqual([answer.body]);
    for (const { text } of [answer, shown, listed]) {
      expect(text).not.toContain("canary");
      expect(text).not.toContain("PRIVATE KEY");
      expect(text).not.toContain("sealed");
    }
  });

  it("opens for protected refs, every ref type and proof, and no forks unless more is said", async () => {
    const answer = await create({ name: "default-policy", secret: { type: "none" } });
    expect(answer.body.policy).toEqual({
      refs: "protected",
      ref_types: ["branch", "tag", "pr"],
      agent_types: null,
      forks: false,
      proofs: ["webhook", "api"],
    });
  });

  it("reaches the job where its type puts it: files for ssh, variables for the others", async () => {
    await addKey(world, "id-deploy", secrets.ssh);
    await addKey(world, "bot.login", secrets.login_password);
    await addKey(world, "9-lives", secrets.string);
    const request = await handedOver([{ key: "id-deploy" }, { key: "bot.login" }, { key: "9-lives" }]);
    expect(request.files).toEqual([
      { path: ".ssh/id-deploy", mode: "0600", content: Buffer.from(pem).toString("base64") },
    ]);
    expect(envOf(request, "BOT_LOGIN_LOGIN")).toBe("robot");
    expect(envOf(request, "BOT_LOGIN_PASSWORD")).toBe("canary-password");
    expect(envOf(request, "_9_LIVES")).toBe("canary-value");
  });

  it("goes where the job says, each part to its own place", async () => {
    await addKey(world, "placed", secrets.ssh);
    const use = {
      key: "placed",
      env: { login: "SSH_USER", passphrase: "SSH_PASS" },
      file: { path: "keys/id", mode: "0400" },
    };
    const request = await handedOver([use]);
    expect(request.files.map(({ path, mode }: { path: string; mode: string }) => [path, mode])).toEqual([
      ["keys/id", "0400"],
    ]);
    expect(envOf(request, "SSH_USER")).toBe("deploy");
    expect(envOf(request, "SSH_PASS")).toBe("canary-passphrase");
  });

  it("remembers the last job that was handed it", async () => {
    const id = await addKey(world, "remembers", secrets.string);
    await handedOver([{ key: "remembers" }]);
    const { body } = await world.as(world.owner, "GET", `${path()}/${id}`);
    expect(Date.parse(body.last_used_at)).toBeGreaterThan(Date.now() - 60_000);
    expect(body.last_used_job).toMatch(/^[0-9a-f-]{36}$/);
    expect(body.revision).toBe(1);
  });
});

describe("a private key", () => {
  it.each([
    ["CRLF", pem.replaceAll("\n", "\r\n")],
    ["no newline at its end", pem.trimEnd()],
    ["CRLF and no newline at its end", pem.trimEnd().replaceAll("\n", "\r\n")],
    ["blank lines around it", `\n\n  ${pem}\n\n`],
  ])("with %s reaches the job repaired", async (what, private_key) => {
    const name = `repaired-${what.replaceAll(/[^a-z]/g, "-")}`;
    await addKey(world, name, { type: "ssh", private_key });
    const request = await handedOver([{ key: name }]);
    expect(contentOf(request.files[0])).toBe(pem);
  });

  it.each([
    ["text that is none", "not a key"],
    ["a public key", "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n"],
    ["half a key", pem.slice(0, 60)],
    ["nothing", ""],
  ])("that is %s is refused by field, and nothing is stored", async (_, private_key) => {
    const before = await rowCounts(harness);
    const answer = await create({ name: "broken", secret: { type: "ssh", private_key } });
    expect([answer.status, answer.body.errors[0].pointer]).toEqual([400, "/secret/private_key"]);
    expect(await rowCounts(harness)).toEqual(before);
  });
});

describe("secret material", () => {
  const kib64 = 64 * 1024;

  it("of 64 KiB is stored and handed over whole, over it is refused by its field", async () => {
    const value = "é".repeat(kib64 / 2);
    await addKey(world, "large", { type: "string", value });
    const request = await handedOver([{ key: "large", file: { path: "large" } }]);
    expect(contentOf(request.files[0])).toBe(value);
    const before = await rowCounts(harness);
    const over: [string, object][] = [
      ["/secret/value", { type: "string", value: `${value}x` }],
      ["/secret/password", { type: "login_password", password: "x".repeat(kib64 + 1) }],
      ["/secret/private_key", { type: "ssh", private_key: pem + "x".repeat(kib64) }],
      ["/secret/passphrase", { type: "ssh", private_key: pem, passphrase: "x".repeat(kib64 + 1) }],
    ];
    for (const [pointer, secret] of over) {
      const answer = await create({ name: "over", secret });
      expect([answer.status, answer.body.errors[0].pointer]).toEqual([400, pointer]);
    }
    expect(await rowCounts(harness)).toEqual(before);
  });

  it.each([
    ["/secret/value", { type: "string", value: "" }],
    ["/secret/value", { type: "string", value: "a\0b" }],
    ["/secret/value", { type: "string", value: 1 }],
    ["/secret/value", { type: "string" }],
    ["/secret/type", { type: "gpg", value: "x" }],
    ["/secret/login", { type: "string", value: "x", login: "y" }],
    ["/secret/value", { type: "none", value: "x" }],
    ["/secret/login", { type: "login_password", login: "x".repeat(257), password: "x" }],
    ["/secret", null],
  ])("is refused at %s for %j", async (pointer, secret) => {
    const before = await rowCounts(harness);
    const answer = await create({ name: "refused", secret });
    expect([answer.status, answer.body.errors[0].pointer]).toEqual([400, pointer]);
    expect(await rowCounts(harness)).toEqual(before);
  });

  it("is quoted by no refusal", async () => {
    const value = "canary-in-a-refusal";
    const bodies = [
      { name: "UPPER", secret: { type: "string", value } },
      { name: "x", secret: { type: value } },
      { name: "x", secret: { type: "string", [value]: value } },
      { name: "x", secret: { type: "ssh", private_key: value } },
      { name: "x", secret: { type: "string", value }, policy: { refs: "all" } },
    ];
    for (const body of bodies) {
      const answer = await create(body);
      expect(answer.status).toBe(400);
      // A member's own name may be told; what was sent as a secret's value may not.
      if (!(value in body.secret)) expect(answer.text).not.toContain(value);
    }
    expect(harness.logs()).not.toContain(value);
  });

  it("is in no dump of the database and in no log, in any form, neither stored nor handed over", async () => {
    const canaries = { value: "canary-W5uXkq0Tn2", password: "canary-Zp81mVt0bc", env: "canary-7Qe2LsYw4d" };
    await addKey(world, "canary-string", { type: "string", value: canaries.value });
    await addKey(world, "canary-login", { type: "login_password", login: "x", password: canaries.password });
    const env = [{ name: "CANARY", value: canaries.env, secret: true }];
    const keys = [{ key: "canary-string" }, { key: "canary-login" }];
    await world.startJob({ spec: { commands: [`echo ${canaries.env}`], env, keys } });
    const queued = await dumpDatabase(harness);
    const { jobId, request } = await takeJob(world, agent);
    expect(envOf(request, "CANARY_STRING")).toBe(canaries.value);
    const running = await dumpDatabase(harness);
    await finishJob(world, agent, jobId);
    for (const text of [queued, running, await dumpDatabase(harness), harness.logs()]) {
      for (const form of Object.values(canaries).flatMap(formsOf)) expect(text).not.toContain(form);
      expect(text).not.toContain(request.logger.token);
      expect(text).not.toContain(envOf(request, "SEMAPHORE_OIDC_TOKEN")?.split(".")[2]);
      expect(text).not.toContain(agent.slice(8));
    }
  });
});

describe("a key's name", () => {
  it("is its project's own: taken in one, free in another", async () => {
    const id = await addKey(world, "same-name", { type: "string", value: "x" });
    const before = await rowCounts(harness);
    const again = await create({ name: "same-name", secret: { type: "none" } });
    expect([again.status, again.body.errors[0].pointer]).toEqual([409, "/name"]);
    expect(await rowCounts(harness)).toEqual(before);
    const projectId = await addProject(world, "another");
    const there = await addKey(world, "same-name", { type: "string", value: "y" }, { projectId });
    expect(there).not.toBe(id);
    for (const method of ["GET", "DELETE"]) {
      expect((await world.as(world.owner, method, `${path()}/${there}`)).status).toBe(404);
    }
    await world.startJob(jobWithKeys("same-name"));
    const { jobId, request } = await takeJob(world, agent);
    expect(envOf(request, "SAME_NAME")).toBe("x");
    await finishJob(world, agent, jobId);
  });

  it("is free again once the key is deleted, and a retry by client id makes no second one", async () => {
    const body = { id: randomUUID(), name: "comes-and-goes", secret: { type: "string", value: "x" } };
    const first = await create(body);
    const second = await create(body);
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body).toEqual(first.body);
    const changed = await create({ ...body, secret: { type: "string", value: "y" } });
    expect([changed.status, changed.body.errors[0].pointer]).toEqual([409, "/id"]);
    expect((await world.as(world.owner, "DELETE", `${path()}/${body.id}`)).status).toBe(204);
    expect((await world.as(world.owner, "GET", `${path()}/${body.id}`)).status).toBe(404);
    expect((await world.as(world.owner, "DELETE", `${path()}/${body.id}`)).status).toBe(404);
    expect((await create({ name: "comes-and-goes", secret: { type: "none" } })).status).toBe(201);
  });
});

describe("deleting a key", () => {
  it("is refused while an unfinished job names it, queued or running, and open once it ended", async () => {
    const id = await addKey(world, "in-use", { type: "string", value: "x" });
    await world.startJob(jobWithKeys("in-use"));
    const remove = () => world.as(world.owner, "DELETE", `${path()}/${id}`);
    expect((await remove()).status).toBe(409);
    const { jobId } = await takeJob(world, agent);
    expect((await remove()).body.code).toBe("conflict");
    await world.as(world.owner, "POST", `/api/v1/jobs/${jobId}/stop`);
    expect((await remove()).status).toBe(409);
    await finishJob(world, agent, jobId, "stopped");
    expect((await remove()).status).toBe(204);
    const { body } = await world.as(world.owner, "GET", `/api/v1/audit?key_id=${id}`);
    const actions = body.items.map((item: { action: string }) => item.action);
    expect(actions).toEqual(["key.delete", "key.unseal", "key.create"]);
  });

  it("races with the start of a job that names it: one of the two is refused, always", async () => {
    for (let round = 0; round < 10; round++) {
      const name = `raced-${round}`;
      const id = await addKey(world, name, { type: "string", value: "x" });
      const [started, removed] = await Promise.all([
        world.as(world.owner, "POST", `/api/v1/projects/${world.projectId}/jobs`, {
          ...jobStart(),
          ...jobWithKeys(name),
        }),
        world.as(world.owner, "DELETE", `${path()}/${id}`),
      ]);
      expect([
        [201, 409],
        [422, 204],
      ]).toContainEqual([started.status, removed.status]);
      if (started.status === 201) await world.as(world.owner, "POST", `/api/v1/jobs/${started.body.id}/stop`);
    }
  });
});
