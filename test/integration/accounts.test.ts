/** The first owner and API tokens: who gets in, with what rights, and for how long. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addProject, call, comparable, type World } from "../support/api.ts";
import { dumpDatabase, rowCounts } from "../support/at-rest.ts";
import { bootstrapToken, type Harness, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const bootstrapWith = (bootstrap_token: string, organization = "acme") =>
  call(harness, null, "POST", "/api/v1/bootstrap", { bootstrap_token, organization });

/** Redeploys with other bindings, runs, and puts the first ones back. */
async function deployed(vars: Parameters<Harness["deploy"]>[0], run: () => Promise<void>): Promise<void> {
  await harness.deploy(vars);
  try {
    await run();
  } finally {
    await harness.deploy({});
  }
}

const whoami = (token: string) => call(harness, token, "GET", "/api/v1/whoami");

describe("bootstrap", () => {
  it("refuses a wrong token and writes nothing", async () => {
    const before = await rowCounts(harness);
    const answer = await bootstrapWith("not-the-token");
    expect(answer.status).toBe(401);
    expect(answer.body.code).toBe("unauthenticated");
    expect(await rowCounts(harness)).toEqual(before);
  });

  it("lets exactly one of ten at once in as owner, and nobody after", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => bootstrapWith(bootstrapToken)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array<number>(9).fill(409)]);
    const won = answers.find(({ status }) => status === 201);
    expect(won?.body).toMatchObject({ organization: { name: "acme" }, token: { role: "owner", project_id: null } });
    const owner = won?.body.token.token as string;
    expect((await whoami(owner)).body.organization).toEqual(won?.body.organization);

    const again = await bootstrapWith(bootstrapToken);
    expect(again.status).toBe(409);
    expect(again.text).not.toContain(bootstrapToken);
    expect(await harness.db.prepare("SELECT count(*) AS n FROM api_tokens").first("n")).toBe(1);

    world = await worldOf(owner);
  });

  it("readmits one owner for a new value, once, on the record, and never renames the organization", async () => {
    await deployed({ BOOTSTRAP_TOKEN: "second-bootstrap-value" }, async () => {
      expect((await bootstrapWith(bootstrapToken)).status).toBe(401);
      const renamed = await bootstrapWith("second-bootstrap-value", "other");
      expect(renamed.status).toBe(409);
      const readmitted = await bootstrapWith("second-bootstrap-value");
      expect(readmitted.status).toBe(201);
      expect((await whoami(readmitted.body.token.token)).body.token.role).toBe("owner");
      expect((await bootstrapWith("second-bootstrap-value")).status).toBe(409);
    });
    const rows = await auditRows("organization.bootstrap");
    expect(rows.map((row) => JSON.parse(row.details).first)).toEqual([true, false]);
    expect((await bootstrapWith(bootstrapToken)).status).toBe(409);
  });

  it("names the binding where it is not set, and goes on serving the tokens that exist", async () => {
    await deployed({ BOOTSTRAP_TOKEN: undefined }, async () => {
      const answer = await bootstrapWith("");
      expect(answer.status).toBe(400);
      const unset = await bootstrapWith("anything");
      expect(unset.status).toBe(503);
      expect(unset.body.code).toBe("binding_unusable");
      expect(unset.body.detail).toContain("BOOTSTRAP_TOKEN");
      expect((await whoami(world.owner)).status).toBe(200);
    });
  });

  it("lets nobody in by a value that is short enough to guess, and says so without quoting it", async () => {
    await deployed({ BOOTSTRAP_TOKEN: "canary-2-short" }, async () => {
      const answer = await bootstrapWith("canary-2-short");
      expect([answer.status, answer.body.code]).toEqual([503, "binding_unusable"]);
      const health = await call(harness, null, "GET", "/api/health");
      expect(health.body.problems.map(({ binding }: { binding: string }) => binding)).toEqual(["BOOTSTRAP_TOKEN"]);
      expect(answer.text + health.text + harness.logs()).not.toContain("canary-2-short");
    });
  });

  it("refuses bodies that do not fit by field, and says nothing of the token", async () => {
    const body = { bootstrap_token: "canary-token", organization: "Not A Name", role: "owner" };
    const answer = await call(harness, null, "POST", "/api/v1/bootstrap", body);
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain("/organization");
    expect(answer.text).not.toContain("canary-token");
  });
});

describe("API tokens", () => {
  it("are shown once: no list, no retry and no table holds them", async () => {
    const id = randomUUID();
    const made = await create({ id, name: "shown once", role: "guest" });
    expect(made.status).toBe(201);
    const token: string = made.body.token;
    const list = await world.as(world.owner, "GET", "/api/v1/tokens?limit=1000");
    expect(list.body.items.map((item: { id: string }) => item.id)).toContain(id);
    const retried = await create({ id, name: "shown once", role: "guest" });
    expect(retried.status).toBe(200);
    const dump = await dumpDatabase(harness);
    for (const shown of [list.text, retried.text, dump, harness.logs()]) {
      expect(shown).not.toContain(token);
      expect(shown).not.toContain(token.slice(8));
      expect(shown).not.toContain(world.owner);
    }
  });

  it("that are garbage, unknown, revoked and expired get the same answer", async () => {
    const revoked = (await create({ name: "revoked", role: "guest" })).body;
    await world.as(world.owner, "DELETE", `/api/v1/tokens/${revoked.id}`);
    const expired = (await create({ name: "expired", role: "guest" })).body;
    await harness.db.prepare("UPDATE api_tokens SET expires_at = ? WHERE id = ?").bind(Date.now(), expired.id).run();
    const unknown = `sbx_api_${"A".repeat(43)}`;
    const answers = await Promise.all(["garbage", unknown, revoked.token, expired.token].map(whoami));
    const none = await call(harness, null, "GET", "/api/v1/whoami");
    expect(new Set([...answers, none].map(comparable)).size).toBe(1);
    expect(new Set([...answers, none].map(({ status }) => status))).toEqual(new Set([401]));
    expect(none.headers.get("www-authenticate")).toBe("Bearer");
  });

  it("are not taken from a query, a cookie or a body", async () => {
    const path = `/api/v1/whoami?token=${world.owner}&access_token=${world.owner}&authorization=Bearer%20${world.owner}`;
    const cookie = `token=${world.owner}; __Host-session=${world.owner}`;
    expect((await call(harness, null, "GET", path, undefined, { cookie })).status).toBe(401);
  });

  it("are taken under Semaphore's word and the common one, in any case", async () => {
    for (const scheme of ["Bearer", "Token", "bearer", "TOKEN"]) {
      const headers = { authorization: `${scheme} ${world.owner}` };
      expect((await call(harness, null, "GET", "/api/v1/whoami", undefined, headers)).status).toBe(200);
    }
    const basic = { authorization: `Basic ${Buffer.from(`x:${world.owner}`).toString("base64")}` };
    expect((await call(harness, null, "GET", "/api/v1/whoami", undefined, basic)).status).toBe(401);
  });

  it("live 90 days unless more or less is said, and end on time", async () => {
    const made = await create({ name: "default life", role: "guest" });
    const days = (Date.parse(made.body.expires_at) - Date.parse(made.body.created_at)) / 86_400_000;
    expect(days).toBe(90);
    expect((await create({ name: "for ever", role: "guest", expires_in_seconds: null })).body.expires_at).toBeNull();
    const tooShort = await create({ name: "too short", role: "guest", expires_in_seconds: 1 });
    expect(tooShort.status).toBe(400);
    expect(tooShort.body.errors[0].pointer).toBe("/expires_in_seconds");
  });

  it("end with their revocation, also their own, and a second revocation changes nothing", async () => {
    const made = (await create({ name: "revokes itself", role: "guest" })).body;
    expect((await call(harness, made.token, "DELETE", `/api/v1/tokens/${made.id}`)).status).toBe(204);
    expect((await whoami(made.token)).status).toBe(401);
    const revokedAt = () =>
      harness.db.prepare("SELECT revoked_at FROM api_tokens WHERE id = ?").bind(made.id).first<number>("revoked_at");
    const before = await revokedAt();
    expect(before).toBeGreaterThan(0);
    expect((await world.as(world.owner, "DELETE", `/api/v1/tokens/${made.id}`)).status).toBe(204);
    expect(await revokedAt()).toBe(before);
  });
});

describe("a token made with a token", () => {
  it("stays when its maker is revoked, and goes with it, and all made with it, where that is asked for", async () => {
    const made = async (by: string) =>
      (await call(harness, by, "POST", "/api/v1/tokens", { name: "made", role: "owner" })).body;
    const first = await made(world.owner);
    const second = await made(first.token);
    const third = await made(second.token);
    const bystander = await made(world.owner);
    const alive = async () =>
      Promise.all([first, second, third, bystander].map(async ({ token }) => (await whoami(token)).status === 200));
    await world.as(world.owner, "DELETE", `/api/v1/tokens/${first.id}`);
    expect(await alive()).toEqual([false, true, true, true]);
    expect((await world.as(world.owner, "DELETE", `/api/v1/tokens/${first.id}?made=true`)).status).toBe(204);
    expect(await alive()).toEqual([false, false, false, true]);
    expect((await whoami(world.owner)).status).toBe(200);
    expect((await world.as(world.owner, "DELETE", `/api/v1/tokens/${first.id}?made=yes`)).status).toBe(400);
  });

  it("never has a role above its maker's, nor a wider scope", async () => {
    const projectOwner = (await create({ name: "of a project", role: "owner", project_id: world.projectId })).body
      .token;
    const other = await addProject(world, "not-theirs");
    const before = await rowCounts(harness);
    const by = (body: object) => call(harness, projectOwner, "POST", "/api/v1/tokens", { name: "child", ...body });
    expect((await by({ role: "owner" })).status).toBe(403);
    expect((await by({ role: "guest", project_id: null })).status).toBe(403);
    const foreign = await by({ role: "guest", project_id: other });
    const missing = await by({ role: "guest", project_id: randomUUID() });
    expect(foreign.status).toBe(404);
    expect(comparable(foreign)).toBe(comparable(missing));
    expect(await rowCounts(harness)).toEqual(before);
    expect((await by({ role: "owner", project_id: world.projectId })).status).toBe(201);
  });

  it("may not be made by less than an owner, whatever its role", async () => {
    for (const role of ["guest", "task_runner", "manager"]) {
      for (const project_id of [null, world.projectId]) {
        const maker = (await create({ name: role, role, project_id })).body.token;
        const answer = await call(harness, maker, "POST", "/api/v1/tokens", {
          name: "child",
          role: "guest",
          project_id,
        });
        expect([role, project_id, answer.status]).toEqual([role, project_id, 403]);
        expect(answer.body.detail).toContain("owner");
      }
    }
  });

  it("does not outlive its maker", async () => {
    const maker = (await create({ name: "one hour", role: "owner", expires_in_seconds: 3600 })).body;
    for (const expires_in_seconds of [null, 7200]) {
      const body = { name: "child", role: "owner", expires_in_seconds };
      const child = await call(harness, maker.token, "POST", "/api/v1/tokens", body);
      if (child.status === 201) {
        expect(child.body.expires_at).not.toBeNull();
        expect(Date.parse(child.body.expires_at)).toBeLessThanOrEqual(Date.parse(maker.expires_at));
      } else expect(child.status).toBe(400);
    }
  });
});

describe("a retry by client id", () => {
  it("answers 200 with what exists for the same body, 409 for another body or another maker", async () => {
    const other = (await create({ name: "another owner", role: "owner" })).body.token;
    const id = randomUUID();
    const body = { id, name: "retried", role: "guest" };
    const first = await create(body);
    const before = await rowCounts(harness);
    const second = await create(body);
    expect(second.status).toBe(200);
    expect({ ...second.body, token: first.body.token }).toEqual(first.body);
    expect((await create({ ...body, name: "changed" })).status).toBe(409);
    const stolen = await call(harness, other, "POST", "/api/v1/tokens", body);
    expect(stolen.status).toBe(409);
    expect(stolen.body.errors).toEqual([{ pointer: "/id", detail: "is in use" }]);
    expect(await rowCounts(harness)).toEqual(before);
  });

  it("makes one of twenty at once, and shows its token to one caller alone", async () => {
    const body = { id: randomUUID(), name: "raced", role: "guest" };
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(body)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array<number>(19).fill(200), 201]);
    expect(answers.filter((answer) => answer.body.token !== undefined)).toHaveLength(1);
  });

  it("takes no id but a UUID in lower case", async () => {
    for (const id of [randomUUID().toUpperCase(), "1", ""]) {
      const answer = await create({ id, name: "bad id", role: "guest" });
      expect([id, answer.status, answer.body.errors?.[0].pointer]).toEqual([id, 400, "/id"]);
    }
  });
});

describe("lists", () => {
  it("page through everything once, whatever the page's size, and refuse a cursor of their own making", async () => {
    const whole = await world.as(world.owner, "GET", "/api/v1/tokens?limit=1000");
    const ids: string[] = [];
    let cursor = "";
    for (;;) {
      const page = await world.as(world.owner, "GET", `/api/v1/tokens?limit=3${cursor}`);
      ids.push(...page.body.items.map((item: { id: string }) => item.id));
      if (page.body.next === null) break;
      cursor = `&cursor=${page.body.next}`;
    }
    expect(ids).toEqual(whole.body.items.map((item: { id: string }) => item.id));
    for (const query of ["cursor=%00", "limit=0", "limit=1001", "limit=x"]) {
      const answer = await world.as(world.owner, "GET", `/api/v1/tokens?${query}`);
      expect([query, answer.status]).toEqual([query, 400]);
      expect(answer.body.errors[0].pointer).toBe(`?${query.split("=")[0]}`);
    }
  });

  it("of tokens show a project's owner that project's alone, whichever project is asked for", async () => {
    const other = await addProject(world, "listed-apart");
    const mine = (await create({ name: "mine", role: "owner", project_id: world.projectId })).body.token;
    await create({ name: "theirs", role: "guest", project_id: other });
    for (const query of ["", `?project_id=${world.projectId}`, `?project_id=${other}`]) {
      const answer = await call(harness, mine, "GET", `/api/v1/tokens${query}`);
      const scopes = new Set((answer.body.items ?? []).map((item: { project_id: string }) => item.project_id));
      expect(scopes.has(other)).toBe(false);
      expect(scopes.has(null)).toBe(false);
    }
    const foreign = await call(harness, mine, "GET", `/api/v1/tokens?project_id=${other}`);
    expect(foreign.status).toBe(404);
  });
});

async function worldOf(owner: string): Promise<World> {
  // The owner is in already: the rest of the world is made with its token.
  const as: World["as"] = (token, method, path, body, headers) => call(harness, token, method, path, body, headers);
  const seed = { harness, owner, as, projectId: "", agentTypeId: "" } as unknown as World;
  return { ...seed, projectId: await addProject(seed, "web") };
}

function create(body: object) {
  return world.as(world.owner, "POST", "/api/v1/tokens", body);
}

async function auditRows(action: string) {
  const { results } = await harness.db
    .prepare("SELECT * FROM audit WHERE action = ? ORDER BY seq")
    .bind(action)
    .all<{ details: string }>();
  return results;
}

describe("the audit record", () => {
  it("holds a row for each change, with who did it, and no secret", async () => {
    const made = (await create({ name: "audited", role: "guest" })).body;
    await world.as(world.owner, "DELETE", `/api/v1/tokens/${made.id}`);
    const me = (await whoami(world.owner)).body.token.id;
    const answer = await world.as(world.owner, "GET", "/api/v1/audit?limit=2");
    expect(answer.body.items).toMatchObject([
      { action: "token.revoke", principal: { kind: "token", id: me }, details: { token_id: made.id } },
      { action: "token.create", principal: { kind: "token", id: me }, details: { token_id: made.id, role: "guest" } },
    ]);
    expect(answer.text).not.toContain(made.token);
    expect(answer.body.items[0].seq).toBe(answer.body.items[1].seq + 1);
  });

  it("pages backwards through everything, each row once", async () => {
    const seqs: number[] = [];
    let before = "";
    for (;;) {
      const page = await world.as(world.owner, "GET", `/api/v1/audit?limit=7${before}`);
      seqs.push(...page.body.items.map((item: { seq: number }) => item.seq));
      if (page.body.next === null) break;
      before = `&before=${page.body.next}`;
    }
    const last = await harness.db.prepare("SELECT max(seq) AS n FROM audit").first<number>("n");
    expect(seqs).toEqual(Array.from({ length: last ?? 0 }, (_, at) => (last ?? 0) - at));
  });

  it.each([
    ["UPDATE", "UPDATE audit SET details = '{}' WHERE seq = 1"],
    ["DELETE", "DELETE FROM audit WHERE seq = 1"],
    ["DELETE of all", "DELETE FROM audit"],
    ["INSERT OR REPLACE", "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 1"],
    [
      "REPLACE of other content",
      `REPLACE INTO audit SELECT seq, at, 'token.create', principal_kind, principal_id,
       project_id, job_id, key_id, details, digest FROM audit WHERE seq = 1`,
    ],
    ["upsert", `INSERT INTO audit SELECT * FROM audit WHERE seq = 1 ON CONFLICT (seq) DO UPDATE SET details = '{}'`],
    ["UPDATE OR REPLACE", "UPDATE OR REPLACE audit SET seq = 1 WHERE seq = 2"],
  ])("is append-only: %s aborts and changes nothing", async (_, sql) => {
    const rows = async () => (await harness.db.prepare("SELECT * FROM audit ORDER BY seq").all()).results;
    const before = await rows();
    await expect(harness.db.prepare(sql).run()).rejects.toThrow("audit is append-only");
    expect(await rows()).toEqual(before);
  });

  it("stands or nothing does: where it refuses, no token is made", async () => {
    await harness.db
      .prepare("CREATE TRIGGER audit_down BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'audit is down'); END")
      .run();
    try {
      const before = await rowCounts(harness);
      const answer = await create({ name: "unaudited", role: "owner" });
      expect(answer.status).toBe(500);
      expect(answer.text).not.toContain("audit is down");
      expect(answer.body.token).toBeUndefined();
      expect(await rowCounts(harness)).toEqual(before);
    } finally {
      await harness.db.prepare("DROP TRIGGER audit_down").run();
    }
    expect((await create({ name: "audited again", role: "guest" })).status).toBe(201);
  });
});
