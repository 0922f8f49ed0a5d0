/** Client certificates of agents, as Cloudflare tells of them: which calls take one, which one, and what it is not taken from. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  addProject,
  call,
  comparable,
  createWorld,
  output,
  registration,
  type World,
} from "../support/api.ts";
import { type Harness, issuer, startHarness } from "../support/harness.ts";

const host = "https://ci.example.com";
const base = "/api/v1/self_hosted_agents";
const [listed, alsoListed, unlisted] = ["a1", "b2", "c3"].map((byte) => byte.repeat(32)) as [string, string, string];
const waiting = { state: "waiting-for-jobs", job_id: "", job_result: "", interrupted_at: 0 };

type TlsClientAuth = Partial<IncomingRequestCfPropertiesTLSClientAuth> | undefined;

/** What Cloudflare says of a verified certificate with this fingerprint. */
const verified = (certFingerprintSHA256: string): TlsClientAuth => ({
  certPresented: "1",
  certVerified: "SUCCESS",
  certRevoked: "0",
  certFingerprintSHA256,
});

let harness: Harness;
let world: World<Pick<Harness, "fetch" | "dispatch">>;

/** Cloudflare's edge, in front of a client with this certificate. */
function edge(tlsClientAuth?: TlsClientAuth, origin = host): Pick<Harness, "fetch" | "dispatch"> {
  const fetch: Harness["fetch"] = (path, init) =>
    harness.dispatch(`${origin}${path}`, { ...init, cf: { tlsVersion: "TLSv1.3", tlsClientAuth } } as RequestInit);
  return { fetch, dispatch: harness.dispatch };
}

const asOwner = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  call(edge(), world.owner, method, path, body, headers);
const change = (id: string, certificates: unknown, headers?: Record<string, string>) =>
  asOwner("PATCH", `/api/v1/agent-types/${id}`, { certificates }, headers);

beforeAll(async () => {
  harness = await startHarness({ ISSUER: host });
  world = await createWorld(edge());
});
afterAll(() => harness.close());

/** A type of its own, its name, and a registration token with many uses. */
async function newType(certificates: string[] | null) {
  const name = `type-${randomUUID().slice(0, 8)}`;
  const policy = { project_ids: [world.projectId], refs: ["refs/**"] };
  const made = await asOwner("POST", "/api/v1/agent-types", { name, policy, certificates });
  expect([made.status, made.body.certificates]).toEqual([201, certificates]);
  const tokens = `/api/v1/agent-types/${made.body.id}/registration-tokens`;
  const { token } = (await asOwner("POST", tokens, { uses: 50 })).body;
  return { id: made.body.id as string, name, token: token as string };
}

async function newAgent(registrationToken: string, certificate?: TlsClientAuth): Promise<string> {
  const body = registration(`agent-${randomUUID().slice(0, 8)}`);
  const answer = await call(edge(certificate), registrationToken, "POST", `${base}/register`, body);
  expect(answer.status).toBe(201);
  return answer.body.token;
}

const sync = (agent: string, certificate?: TlsClientAuth, body: object = waiting) =>
  call(edge(certificate), agent, "POST", `${base}/sync`, body);

/** A job that the agent has fetched, and the log token of it. */
async function fetchedJob(type: { name: string }, agent: string, certificate: TlsClientAuth) {
  await world.startJob({ agent_type: type.name });
  const jobId: string = (await sync(agent, certificate)).body.job_id;
  const fetched = await call(edge(certificate), agent, "GET", `${base}/jobs/${jobId}`);
  expect(fetched.status).toBe(200);
  return { jobId, logToken: fetched.body.logger.token as string };
}

function expectRefused(answer: Answer, why: string): void {
  expect([answer.status, answer.body.code]).toEqual([403, "forbidden"]);
  expect(answer.body.detail).toBe(`agents of this type must present a client certificate that it lists: ${why}`);
}

describe("an agent of a type that requires a certificate", () => {
  it("is refused without a listed one at every call of the protocol, and nothing is half done", async () => {
    const type = await newType([listed, alsoListed]);
    const agent = await newAgent(type.token, verified(listed));
    const { jobId, logToken } = await fetchedJob(type, agent, verified(alsoListed));
    const { token: oneUse } = (await asOwner("POST", `/api/v1/agent-types/${type.id}/registration-tokens`, {})).body;
    const line = `${JSON.stringify(output("hi"))}\n`;
    const running = { ...waiting, state: "running-job", job_id: jobId };
    const calls: [string, string, string, unknown?][] = [
      [oneUse, "POST", `${base}/register`, registration("far-away")],
      [agent, "POST", `${base}/sync`, running],
      [agent, "GET", `${base}/jobs/${jobId}`],
      [agent, "POST", `${base}/refresh`],
      [logToken, "POST", `/api/v1/logs/${jobId}?start_from=0`, line],
      [agent, "POST", `${base}/disconnect`],
    ];
    const before = await harness.db.prepare("SELECT * FROM agents ORDER BY id").all();
    const answers: [TlsClientAuth, string][] = [
      [undefined, "none was presented"],
      [{ certPresented: "0" } as never, "none was presented"],
      [
        { ...verified(listed), certVerified: "FAILED:self signed certificate" },
        "the one that was presented did not pass verification",
      ],
      [
        { ...verified(listed), certVerified: "SUCCESS.." as never },
        "the one that was presented did not pass verification",
      ],
      [{ ...verified(listed), certRevoked: "1" }, "the one that was presented is revoked"],
      [verified(unlisted), "the one that was presented is not listed"],
      [verified(""), "the one that was presented is not listed"],
      [verified(listed.slice(0, -1)), "the one that was presented is not listed"],
    ];
    for (const [certificate, why] of answers) {
      for (const [credential, method, path, body] of calls) {
        expectRefused(await call(edge(certificate), credential, method, path, body), why);
      }
    }
    expect((await harness.db.prepare("SELECT * FROM agents ORDER BY id").all()).results).toEqual(before.results);
    // The same calls are taken with it, the registration token's one use included.
    const statuses: number[] = [];
    for (const [credential, method, path, body] of calls) {
      statuses.push((await call(edge(verified(listed.toUpperCase())), credential, method, path, body)).status);
    }
    // GET job is closed by the sync that says running-job.
    expect(statuses).toEqual([201, 200, 404, 200, 200, 200]);
  });

  it("is given no job while it presents none: the job stays in the queue for one that does", async () => {
    const type = await newType([listed]);
    const agent = await newAgent(type.token, verified(listed));
    const jobId = await world.startJob({ agent_type: type.name });
    expectRefused(await sync(agent), "none was presented");
    expect((await asOwner("GET", `/api/v1/jobs/${jobId}`)).body).toMatchObject({ state: "queued", claim_number: 0 });
    expect((await sync(agent, verified(listed))).body).toMatchObject({ action: "run-job", job_id: jobId });
  });

  it("cannot say so in a header", async () => {
    const type = await newType([listed]);
    const agent = await newAgent(type.token, verified(listed));
    const blob = JSON.stringify({ tlsClientAuth: verified(listed) });
    const forged = {
      "cf-client-cert-sha256": listed,
      "x-ssl-client-verify": "SUCCESS",
      "x-client-cert-fingerprint": listed,
      "client-cert": `:${Buffer.from("certificate").toString("base64")}:`,
      "cf-tls-client-auth": blob,
    };
    expectRefused(await call(edge(), agent, "POST", `${base}/sync`, waiting, forged), "none was presented");
  });

  it("hears from a wrong credential what everybody hears, whatever it presents", async () => {
    await newType([listed]);
    for (const credential of ["garbage", `sbx_agt_${"A".repeat(43)}`]) {
      const [with_, without] = [await sync(credential, verified(listed)), await sync(credential)];
      expect([without.status, comparable(without)]).toEqual([404, comparable(with_)]);
    }
  });

  it("is no matter to agents of other types, nor to people", async () => {
    await newType([listed]);
    const other = await newType(null);
    const agent = await newAgent(other.token);
    const { jobId, logToken } = await fetchedJob(other, agent, undefined);
    const line = `${JSON.stringify(output("hi"))}\n`;
    const pushed = await call(edge(), logToken, "POST", `/api/v1/logs/${jobId}?start_from=0`, line);
    expect(pushed.status).toBe(200);
    expect((await sync(agent, verified(unlisted), { ...waiting, state: "running-job", job_id: jobId })).status).toBe(
      200,
    );
  });
});

describe("a change of the list", () => {
  it("holds for agents and jobs that are there already, in both directions", async () => {
    const type = await newType(null);
    const agent = await newAgent(type.token);
    const { jobId, logToken } = await fetchedJob(type, agent, undefined);
    const push = (certificate?: TlsClientAuth) =>
      call(
        edge(certificate),
        logToken,
        "POST",
        `/api/v1/logs/${jobId}?start_from=0`,
        `${JSON.stringify(output("hi"))}\n`,
      );
    expect((await change(type.id, [listed])).body).toMatchObject({ certificates: [listed], revision: 2 });
    expectRefused(await push(), "none was presented");
    expectRefused(await sync(agent), "none was presented");
    expect((await push(verified(listed))).status).toBe(200);
    await change(type.id, [alsoListed]);
    expectRefused(await push(verified(listed)), "the one that was presented is not listed");
    expect((await change(type.id, null)).body).toMatchObject({ certificates: null, revision: 4 });
    expect((await push()).status).toBe(200);
  });

  it("on top of another revision than the one that was read is refused", async () => {
    const { id } = await newType(null);
    expect((await change(id, [listed], { "if-match": '"1"' })).status).toBe(200);
    const late = await change(id, [unlisted], { "if-match": '"1"' });
    expect([late.status, late.body.code]).toEqual([412, "precondition_failed"]);
    expect((await asOwner("GET", `/api/v1/agent-types/${id}`)).body.certificates).toEqual([listed]);
  });

  it("names each fingerprint that is none", async () => {
    const { id } = await newType(null);
    const colons = listed.toUpperCase().match(/../g)?.join(":");
    for (const wrong of [listed.toUpperCase(), colons, listed.slice(1), `${listed}0`, 7, ""]) {
      const answer = await change(id, [unlisted, wrong]);
      expect([wrong, answer.status, answer.body.errors?.[0].pointer]).toEqual([wrong, 400, "/certificates/1"]);
    }
    for (const wrong of [[], Array.from({ length: 65 }, () => listed), listed, undefined]) {
      const answer = await change(id, wrong);
      expect([answer.status, answer.body.errors?.[0].pointer]).toEqual([400, "/certificates"]);
    }
  });

  it("stands in the audit record, and so does a type that is made with one", async () => {
    const { id } = await newType([listed]);
    await change(id, [alsoListed]);
    const { items } = (await asOwner("GET", "/api/v1/audit?limit=3")).body;
    const rows = items.map(({ action, details }: { action: string; details: object }) => ({ action, ...details }));
    expect(rows).toContainEqual({ action: "agent_type.change", agent_type_id: id, certificates: `["${alsoListed}"]` });
    expect(rows).toContainEqual(
      expect.objectContaining({ action: "agent_type.create", agent_type_id: id, certificates: `["${listed}"]` }),
    );
  });

  it("of a type that serves several projects takes a manager in each of them", async () => {
    const other = await addProject(world, `other-${randomUUID().slice(0, 8)}`);
    const policy = { project_ids: [world.projectId, other] };
    const { id } = (await asOwner("POST", "/api/v1/agent-types", { name: `wide-${randomUUID().slice(0, 8)}`, policy }))
      .body;
    const [manager, stranger] = [
      await world.tokenOf("manager"),
      await world.tokenOf("owner", await addProject(world, "far")),
    ];
    const asked = (token: string, of = id) =>
      call(edge(), token, "PATCH", `/api/v1/agent-types/${of}`, { certificates: null });
    expect((await asked(manager)).status).toBe(403);
    const [foreign, missing] = [await asked(stranger), await asked(stranger, randomUUID())];
    expect([foreign.status, comparable(foreign)]).toEqual([404, comparable(missing)]);
  });
});

/** A deployment where no certificate arrives, with a type of before that requires one. */
describe.each([
  ["under TRUST_PROXY", { TRUST_PROXY: "on" }, host, "TRUST_PROXY"],
  ["where ISSUER is loopback", { ISSUER: issuer }, issuer, "loopback"],
])("%s", (_, vars, origin, word) => {
  it("a certificate cannot be required, with the reason; what was required stays closed, and can be taken away", async () => {
    const type = await newType([listed]);
    const agent = await newAgent(type.token, verified(listed));
    await harness.deploy({ ISSUER: host, ...vars });
    const by = (method: string, path: string, body?: unknown) =>
      call(edge(undefined, origin), world.owner, method, path, body);
    const policy = { project_ids: [world.projectId] };
    for (const refused of [
      await by("POST", "/api/v1/agent-types", { name: "never", policy, certificates: [listed] }),
      await by("PATCH", `/api/v1/agent-types/${type.id}`, { certificates: [listed] }),
    ]) {
      expect([refused.status, refused.body.code, refused.body.errors[0].pointer]).toEqual([
        422,
        "refused",
        "/certificates",
      ]);
      expect(refused.body.detail).toContain(word);
    }
    // Neither cf nor the header that the development runtime makes it of is believed here.
    const present = (headers: Record<string, string>) =>
      call(edge(verified(listed), origin), agent, "POST", `${base}/sync`, waiting, headers);
    const blob = JSON.stringify({ tlsClientAuth: verified(listed) });
    for (const headers of [{}, { "mf-cf-blob": blob }]) {
      const answer = await present(headers);
      expect([answer.status, answer.body.detail]).toEqual([403, expect.stringContaining(word)]);
    }
    expect((await by("PATCH", `/api/v1/agent-types/${type.id}`, { certificates: null })).status).toBe(200);
    expect((await present({})).status).toBe(200);
    await harness.deploy({ ISSUER: host });
  });
});
