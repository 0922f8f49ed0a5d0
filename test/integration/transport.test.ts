/** The wire: which scheme and host are served, and what every answer carries, whatever it is. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Problem } from "../../src/protocol/problem.ts";
import { type Answer, call, createWorld, type World } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { rawRequest } from "../support/raw-request.ts";

let harness: Harness;
let world: World;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
});
afterAll(() => harness.close());

const securityHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "x-frame-options": "DENY",
};

function expectFinished(answer: Answer): void {
  for (const [name, value] of Object.entries(securityHeaders))
    expect([name, answer.headers.get(name)]).toEqual([name, value]);
  expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.headers.get("set-cookie")).toBeNull();
}

const get = (path: string, headers?: Record<string, string>) =>
  call(harness, world.owner, "GET", path, undefined, headers);

describe("every answer", () => {
  it("carries the security headers, a request id and no-store: success, refusal, 404, 405, 413 and no body alike", async () => {
    const token = await world.as(world.owner, "POST", "/api/v1/tokens", { name: "x", role: "guest" });
    const answers = [
      await get("/api/health"),
      await get("/api/v1/projects"),
      token,
      await call(harness, null, "GET", "/api/v1/projects"),
      await get(`/api/v1/projects/${randomUUID()}`),
      await get("/nowhere"),
      await world.as(world.owner, "POST", "/api/v1/projects", "{"),
      await world.as(world.owner, "POST", "/api/v1/projects", " ".repeat(1024 * 1024 + 1)),
      await world.as(world.owner, "PUT", "/api/v1/projects"),
      await world.as(world.owner, "OPTIONS", "/api/v1/projects"),
      await world.as(world.owner, "DELETE", `/api/v1/tokens/${token.body.id}`),
      await get("/api/ws"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 201, 401, 404, 404, 400, 413, 405, 204, 204, 426]);
    for (const answer of answers) expectFinished(answer);
    expect(new Set(answers.map(({ headers }) => headers.get("x-request-id"))).size).toBe(answers.length);
  });

  it("that is a refusal is a problem document whose request id is the header's", async () => {
    for (const path of ["/nowhere", "/api/v1/projects/x", "/api/v1/projects?limit=0", `/api/v1/jobs/${randomUUID()}`]) {
      const answer = await get(path);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      const problem = Problem.parse(answer.body);
      expect(problem.status).toBe(answer.status);
      expect(problem.request_id).toBe(answer.headers.get("x-request-id"));
    }
  });

  it("has a request id of the server's own making, whatever the caller sends", async () => {
    const answer = await get("/api/health", { "x-request-id": "forged", "cf-ray": "forged" });
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("to HEAD is that to GET without its body", async () => {
    for (const path of ["/api/health", "/api/v1/projects", "/nowhere", "/.well-known/jwks.json"]) {
      const [toGet, toHead] = [await get(path), await world.as(world.owner, "HEAD", path)];
      expect(toHead.text).toBe("");
      expect([path, toHead.status]).toEqual([path, toGet.status]);
      for (const name of ["content-type", "cache-control", "etag", ...Object.keys(securityHeaders)]) {
        expect([path, name, toHead.headers.get(name)]).toEqual([path, name, toGet.headers.get(name)]);
      }
    }
    expect((await call(harness, null, "HEAD", "/api/v1/projects")).status).toBe(401);
  });
});

describe("methods", () => {
  it.each([
    ["PUT", "/api/v1/projects", "POST, GET, HEAD"],
    ["DELETE", "/api/v1/projects", "POST, GET, HEAD"],
    ["POST", "/api/health", "GET, HEAD"],
    ["GET", "/api/v1/bootstrap", "POST"],
    ["HEAD", "/api/v1/bootstrap", "POST"],
    ["POST", "/.well-known/jwks.json", "GET, HEAD"],
    ["GET", "/api/v1/self_hosted_agents/sync", "POST"],
    ["PATCH", "/api/v1/logs/00000000-0000-0000-0000-000000000000", "POST, GET, HEAD"],
  ])("%s %s is 405 and says what is allowed: %s", async (method, path, allow) => {
    const answer = await world.as(world.owner, method, path);
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe(allow);
    if (method !== "HEAD") expect(answer.body.code).toBe("method_not_allowed");
  });

  it("OPTIONS says what is allowed and opens nothing to other origins", async () => {
    const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
    const answer = await world.as(null, "OPTIONS", "/api/v1/projects", undefined, headers);
    expect(answer.status).toBe(204);
    expect(answer.headers.get("allow")).toBe("POST, GET, HEAD");
    expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
    expect((await world.as(null, "OPTIONS", "/nowhere")).status).toBe(404);
  });

  it("of a path that differs in case, or has more than the route, find nothing", async () => {
    for (const path of ["/API/v1/projects", "/api/v1/Projects", "/api/v1/projects/x/y/z", "/api", "/nowhere"]) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
    expect((await get("/api/v1/projects/")).status).toBe(200);
  });
});

describe("bodies", () => {
  const path = "/api/v1/projects";
  const over = Buffer.alloc(1024 * 1024 + 1, " ");

  it("over 1 MiB are 413, whether or not their length is declared", async () => {
    const headers = { authorization: `Bearer ${world.owner}` };
    const declared = { ...headers, "content-length": String(over.length) };
    for (const sent of [declared, { ...headers, "transfer-encoding": "chunked" }]) {
      const answer = await rawRequest(harness, { method: "POST", path, headers: sent, body: over });
      expect(answer.status).toBe(413);
      expect(answer.body.code).toBe("too_large");
    }
  });

  it("of exactly 1 MiB are read", async () => {
    const answer = await world.as(world.owner, "POST", path, `{}${" ".repeat(1024 * 1024 - 2)}`);
    expect(answer.status).toBe(400);
    expect(answer.body.errors.length).toBeGreaterThan(1);
  });

  it("that are no JSON in UTF-8 are refused without a word of what they held", async () => {
    const texts = ["", "{", "canary-secret", '{"name":"canary-secret"', "[canary-secret]"];
    const invalid = Buffer.concat([Buffer.from('{"name":"canary-secret'), Buffer.from([0xff]), Buffer.from('"}')]);
    const headers = { authorization: `Bearer ${world.owner}` };
    for (const body of [...texts, invalid]) {
      const length = { "content-length": String(Buffer.byteLength(body)) };
      const answer = await rawRequest(harness, { method: "POST", path, headers: { ...headers, ...length }, body });
      expect(answer.status).toBe(400);
      expect(answer.body.errors).toEqual([{ pointer: "", detail: "is not JSON in UTF-8" }]);
      expect(answer.text).not.toContain("canary");
    }
  });

  it("that are nested without end are refused like any other that does not fit", async () => {
    for (const text of [
      "[".repeat(500_000) + "]".repeat(500_000),
      `${'{"a":'.repeat(170_000)}1${"}".repeat(170_000)}`,
    ]) {
      expect((await world.as(world.owner, "POST", path, text)).status).toBe(400);
    }
  });

  it("with fields that nobody knows are refused, not trimmed", async () => {
    const body = { name: "strict", repository: { name: "strict", slug: "a/b" }, owner: "me" };
    expect((await world.as(world.owner, "POST", path, body)).status).toBe(400);
    for (const value of [null, [], 1, "text", true]) {
      expect((await world.as(world.owner, "POST", path, JSON.stringify(value))).status).toBe(400);
    }
  });
});

describe("where ISSUER is a public https origin", () => {
  const apiPaths = [
    "/api/health",
    "/api/v1/projects",
    "/.well-known/jwks.json",
    "/api/ws",
    "/api/v1/self_hosted_agents/sync",
    "/api/nowhere",
  ];
  const paths = [...apiPaths, "/", "/nowhere"];
  const host = "ci.example.com";

  beforeAll(() => harness.deploy({ ISSUER: `https://${host}` }));

  it("plain HTTP is refused everywhere, also for health, under the right Host and with a valid credential", async () => {
    for (const path of paths) {
      const answer = await rawRequest(harness, { path, headers: { host, authorization: `Bearer ${world.owner}` } });
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, "insecure_transport"]);
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.headers.get("cache-control")).toBe("no-store");
    }
  });

  it("a page asked for over plain HTTP is sent to the issuer's own address, whatever Host says", async () => {
    // Dispatched: the development proxy would write the answer's Location anew.
    for (const asked of [host, host.toUpperCase(), `${host}:80`, `${host}.`, "evil.example"]) {
      const answer = await call(harness, null, "GET", `http://${asked}/some/page?x=1`);
      const expected = [asked, 308, `https://${host}/some/page?x=1`];
      expect([asked, answer.status, answer.headers.get("location")]).toEqual(expected);
      expectFinished(answer);
    }
  });

  it("an absolute-form request line says no more than its Host would", async () => {
    const headers = { host };
    const api = await rawRequest(harness, { path: `http://${host}/api/health`, headers });
    expect([api.status, api.body.code]).toEqual([403, "insecure_transport"]);
    const encrypted = await rawRequest(harness, { path: "https://evil.example/api/health", headers });
    expect([encrypted.status, encrypted.body.code]).toEqual([403, "insecure_transport"]);
  });

  it("an upper-case Host is the same host; a trailing dot or another port is not", async () => {
    const statusOf = async (by: string) => (await call(harness, null, "GET", `https://${by}/api/health`)).status;
    expect(await statusOf(host.toUpperCase())).toBe(200);
    expect(await statusOf(`${host}:443`)).toBe(200);
    expect(await statusOf(`${host}.`)).toBe(421);
    expect(await statusOf(`${host}:444`)).toBe(421);
  });

  it("no header of the client's turns plain HTTP into encrypted", async () => {
    const claims = {
      "x-forwarded-proto": "https",
      "x-forwarded-ssl": "on",
      forwarded: "proto=https",
      "cf-visitor": '{"scheme":"https"}',
      "x-url-scheme": "https",
      "front-end-https": "on",
    };
    const answer = await rawRequest(harness, { path: "/api/health", headers: { host, ...claims } });
    expect(answer.status).toBe(403);
  });

  it.each(["TLSv1", "TLSv1.1"])(
    "%s is refused where Cloudflare tells of it, and TLS 1.2 is not",
    async (tlsVersion) => {
      const over = (version: string) =>
        harness.dispatch(`https://${host}/api/health`, { cf: { tlsVersion: version } } as RequestInit);
      const refused = await over(tlsVersion);
      expect([refused.status, await refused.json()]).toMatchObject([403, { code: "insecure_transport" }]);
      expect((await over("TLSv1.2")).status).toBe(200);
    },
  );

  it("encrypted requests are answered, under the issuer's host alone", async () => {
    expect((await call(harness, null, "GET", `https://${host}/api/health`)).status).toBe(200);
    expect((await call(harness, world.owner, "GET", `https://${host}/api/v1/projects`)).status).toBe(200);
    for (const other of [
      "old.example.com",
      "ci.example.com.evil.example",
      "signalbox.workers.dev",
      `${host}:8443`,
      "localhost",
    ]) {
      for (const path of paths) {
        const answer = await call(harness, world.owner, "GET", `https://${other}${path}`);
        expect([other, path, answer.status, answer.body.code]).toEqual([other, path, 421, "misdirected"]);
        expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      }
    }
  });

  it("an upgrade over plain HTTP opens no socket", async () => {
    const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
    const key = { "sec-websocket-key": "MDEyMzQ1Njc4OWFiY2RlZg==", host, authorization: `Bearer ${world.owner}` };
    const answer = await rawRequest(harness, {
      path: `/api/ws?job_id=${randomUUID()}`,
      headers: { ...headers, ...key },
    });
    expect(answer.status).toBe(403);
  });

  it("every encrypted answer tells browsers to stay with encryption for a year", async () => {
    for (const path of paths) {
      const answer = await call(harness, null, "GET", `https://${host}${path}`);
      const maxAge = /max-age=([0-9]+)/.exec(answer.headers.get("strict-transport-security") ?? "")?.[1];
      expect([path, Number(maxAge)]).toEqual([path, 31_536_000]);
    }
  });
});

describe("behind a trusted proxy", () => {
  const host = "ci.example.com";

  beforeAll(() => harness.deploy({ ISSUER: `https://${host}`, TRUST_PROXY: "on" }));

  it("plain HTTP on loopback is the proxy's own and is served, by the issuer's name or a loopback one", async () => {
    for (const asked of [host, "127.0.0.1", "localhost:3000"]) {
      const answer = await rawRequest(harness, { path: "/api/health", headers: { host: asked } });
      expect([asked, answer.status]).toEqual([asked, 200]);
    }
    const stray = await rawRequest(harness, { path: "/api/health", headers: { host: "evil.example" } });
    expect([stray.status, stray.body.code]).toEqual([421, "misdirected"]);
  });

  it("what the proxy took over plain HTTP is refused, and a page sent to encryption", async () => {
    const headers = { host, "x-forwarded-proto": "http" };
    const api = await rawRequest(harness, { path: "/api/health", headers });
    expect([api.status, api.body.code]).toEqual([403, "insecure_transport"]);
    const page = await call(harness, null, "GET", `http://${host}/`, undefined, { "x-forwarded-proto": "http" });
    expect([page.status, page.headers.get("location")]).toEqual([308, `https://${host}/`]);
  });
});
