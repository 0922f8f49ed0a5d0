import { describe, expect, test, vi } from "vitest";
import * as z from "zod";
import type { Person } from "../../../../src/protocol/principal.ts";
import { empty, json } from "../../../../src/worker/http/reply.ts";
import { type Access, type CallContext, type Method, type Route, route } from "../../../../src/worker/http/route.ts";
import { createFetch } from "../../../../src/worker/http/router.ts";
import { Fault, unauthenticated } from "../../../../src/worker/lib/fault.ts";
import { idOf } from "../fixtures.ts";

const origin = "https://ci.example.com";
const person: Person = { kind: "token", id: idOf(1), name: "t", role: "owner", projectId: null, expiresAtMs: null };
const handled = vi.fn();

function at(method: Method, path: string, access: Access = "public"): Route {
  return route({
    method,
    path: path as "/things/:id",
    access,
    summary: "s",
    answers: {},
    handle: (call) => {
      handled();
      return json(200, { method, path, id: call.params.id ?? null, seen: call.request.method });
    },
  });
}

const Thing = z.strictObject({ name: z.string() });
const routes: Route[] = [
  at("GET", "/things"),
  at("POST", "/things"),
  at("GET", "/things/:id"),
  at("DELETE", "/things/:id"),
  at("GET", "/things/:id/parts/:part_id"),
  at("POST", "/only-post"),
  at("GET", "/people", "person"),
  at("GET", "/bearers", "bearer"),
  route({
    method: "POST",
    path: "/named",
    access: "person",
    body: Thing,
    summary: "s",
    answers: {},
    handle: () => empty(204),
  }),
  route({
    method: "GET",
    path: "/query",
    access: "public",
    query: z.object({ n: z.coerce.number().int().default(1) }),
    summary: "s",
    answers: {},
    handle: ({ query }) => json(200, query),
  }),
  route({
    method: "GET",
    path: "/broken",
    access: "public",
    summary: "s",
    answers: {},
    handle: () => {
      throw new Error("s3cret");
    },
  }),
];

const context: CallContext = {
  authenticate: async (credential) => {
    if (credential !== "good") throw unauthenticated();
    return person;
  },
};
const answer = createFetch({ routes, context, newRequestId: () => "request-1", check: () => null });
const ask = (method: string, path: string, init: RequestInit = {}) =>
  answer(new Request(origin + path, { ...init, method }));
const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;

describe("a route", () => {
  test("is found by path and method, and gets its params", async () => {
    expect(await (await ask("GET", "/things")).json()).toMatchObject({ method: "GET", path: "/things" });
    expect(await (await ask("POST", "/things")).json()).toMatchObject({ method: "POST" });
    expect(await (await ask("DELETE", `/things/${idOf(7)}`)).json()).toMatchObject({ method: "DELETE", id: idOf(7) });
  });

  test.each([
    "x",
    "1",
    idOf(1).toUpperCase().replace("01890000", "0189ABCD"),
    `${idOf(1)}x`,
    "%00",
    "..%2f",
    idOf(1).replace("-", "%2d"),
  ])("with the id %j names nothing that exists", async (id) => {
    const response = await ask("GET", `/things/${id}`);
    expect([response.status, await codeOf(response)]).toEqual([404, "not_found"]);
  });

  test("that throws the unexpected shows a request id and nothing of it", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const response = await ask("GET", "/broken");
    const text = await response.text();
    log.mockRestore();
    expect(response.status).toBe(500);
    expect(text).toContain("request-1");
    expect(text).not.toContain("s3cret");
  });
});

describe("HEAD", () => {
  test("answers as GET does, without a body", async () => {
    for (const path of ["/things", `/things/${idOf(7)}`, "/nothing", "/people", "/query?n=x"]) {
      const [head, get] = [await ask("HEAD", path), await ask("GET", path)];
      expect(head.status, path).toBe(get.status);
      expect(await head.text()).toBe("");
      expect([...head.headers], path).toEqual([...get.headers]);
    }
  });

  test("lets the handler see that it is one", async () => {
    handled.mockClear();
    await ask("HEAD", "/things");
    expect(handled).toHaveBeenCalledTimes(1);
  });

  test("does not run what is not a GET", async () => {
    handled.mockClear();
    const response = await ask("HEAD", "/only-post");
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    expect(handled).not.toHaveBeenCalled();
  });
});

describe("what is not routed", () => {
  test("is 404 for a path that does not exist, whatever the method", async () => {
    for (const method of ["GET", "POST", "PUT", "OPTIONS", "DELETE"]) {
      for (const path of ["/", "/thing", "/things/a/b", "/things/a/parts", "//things", "/THINGS", "/api/../nothing"]) {
        expect((await ask(method, path)).status, `${method} ${path}`).toBe(404);
      }
    }
  });

  test("is 405 for another method, and names those that there are, in header and text", async () => {
    for (const [method, path, allow] of [
      ["PUT", "/things", "GET, HEAD, POST"],
      ["PATCH", `/things/${idOf(7)}`, "GET, HEAD, DELETE"],
      ["GET", "/only-post", "POST"],
      ["DELETE", "/things/", "GET, HEAD, POST"],
    ] as const) {
      const response = await ask(method, path);
      expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
      expect(await response.json()).toMatchObject({ code: "method_not_allowed", detail: `allowed here: ${allow}` });
    }
  });

  test("is answered for OPTIONS with the methods, and no words on other origins", async () => {
    const response = await ask("OPTIONS", "/things", { headers: { origin: "https://evil.example" } });
    expect([response.status, response.headers.get("allow")]).toEqual([204, "GET, HEAD, POST"]);
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });
});

describe("who asks is decided before what is asked", () => {
  const bad = JSON.stringify({ wrong: true });
  test("a stranger learns nothing of ids or schemas", async () => {
    for (const headers of [
      {},
      { authorization: "Bearer bad" },
      { authorization: "Basic Z29vZA==" },
      { authorization: "good" },
    ]) {
      expect((await ask("POST", "/named", { body: bad, headers: headers as Record<string, string> })).status).toBe(401);
    }
    expect((await ask("POST", "/named", { body: bad, headers: { authorization: "Bearer good" } })).status).toBe(400);
  });

  test("Bearer and Token are one, in any case, and a credential is one word", async () => {
    const status = async (authorization: string) =>
      (await ask("GET", "/people", { headers: { authorization } })).status;
    for (const good of ["Bearer good", "Token good", "bearer good", "TOKEN   good"])
      expect(await status(good)).toBe(200);
    for (const none of ["Bearer", "Bearer good good", "Bearergood", "", `Bearer ${"x".repeat(1001)}`])
      expect(await status(none)).toBe(401);
  });

  test("a bearer's credential is handed on unread, but there must be one", async () => {
    expect((await ask("GET", "/bearers", { headers: { authorization: "Token anything" } })).status).toBe(200);
    expect((await ask("GET", "/bearers")).status).toBe(401);
  });

  test("the check comes first of all: a refused request meets no route", async () => {
    handled.mockClear();
    const check = () => {
      throw new Fault("insecure_transport", "no");
    };
    const guarded = createFetch({ routes, context, newRequestId: () => "r", check });
    for (const path of ["/things", "/nothing"]) expect((await guarded(new Request(origin + path))).status).toBe(403);
    expect(handled).not.toHaveBeenCalled();
  });
});

test("every answer has its request id, is not stored, and carries the security headers", async () => {
  for (const [method, path] of [
    ["GET", "/things"],
    ["GET", "/nothing"],
    ["PUT", "/things"],
    ["OPTIONS", "/things"],
    ["GET", "/people"],
  ] as const) {
    const { headers } = await ask(method, path);
    expect(Object.fromEntries(headers)).toMatchObject({
      "x-request-id": "request-1",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    });
  }
});

test("a parameter that is given twice is refused by its name: nobody can tell which was meant", async () => {
  const response = await ask("GET", "/query?n=7&n=8&x=1&x=2");
  expect([response.status, await response.json()]).toMatchObject([
    400,
    { errors: [{ pointer: "?n", detail: "is given more than once" }] },
  ]);
});

test("a query that does not fit is named by parameter; the rest of it is not looked at", async () => {
  expect(await (await ask("GET", "/query?n=7&x=1")).json()).toEqual({ n: 7 });
  const response = await ask("GET", "/query?n=x");
  expect(response.status).toBe(400);
  expect(((await response.json()) as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer)).toEqual([
    "?n",
  ]);
});
