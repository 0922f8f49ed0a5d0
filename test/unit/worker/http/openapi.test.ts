import { describe, expect, test } from "vitest";
import { KeyPolicy } from "../../../../src/protocol/access-keys.ts";
import { GitContext } from "../../../../src/protocol/git-context.ts";
import { Job } from "../../../../src/protocol/jobs.ts";
import { limits } from "../../../../src/protocol/limits.ts";
import { ProblemCode } from "../../../../src/protocol/problem.ts";
import { routeTable } from "../../../../src/worker/app.ts";
import { type Env, readConfig } from "../../../../src/worker/env.ts";
import { openApiDocument } from "../../../../src/worker/http/openapi.ts";
import { createServices } from "../../../../src/worker/services.ts";

// The table is made of closures: nothing asks a binding until a request comes.
const env = { ISSUER: "https://ci.example.com" } as unknown as Env;
const issuer = new URL("https://ci.example.com");
const config = await readConfig(env);
const routes = routeTable(
  env,
  config,
  issuer,
  createServices(env, config, issuer, () => undefined),
);

interface Operation {
  summary: string;
  security: Record<string, unknown>[];
  parameters: { name: string; in: string; required: boolean }[];
  requestBody?: { content: Record<string, { schema: unknown }> };
  responses: Record<string, unknown>;
}
const document = openApiDocument(routes, { Job, GitContext, KeyPolicy }, "1.2.3");
const paths = document.paths as Record<string, Record<string, Operation>>;
const operationOf = ({ method, path }: (typeof routes)[number]) =>
  paths[path.replaceAll(/:([a-z_]+)/g, "{$1}")]?.[method.toLowerCase()];

describe("the OpenAPI document", () => {
  test("refers to its named schemas, and each of them is there and says something of its own", () => {
    const { schemas } = document.components as { schemas: Record<string, { $ref?: string }> };
    const refs = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([A-Za-z]+)"/g)].map(
      ([, name]) => name,
    );
    expect(new Set(refs)).toEqual(new Set(["GitContext", "Job", "KeyPolicy", "KeyPolicyInput", "Problem"]));
    for (const name of refs) expect(schemas[name ?? ""]?.$ref, name).toBeUndefined();
    for (const name of refs) expect(schemas[name ?? ""], name).toBeDefined();
  });

  test("has every route, and none besides", () => {
    for (const route of routes) expect(operationOf(route), `${route.method} ${route.path}`).toBeDefined();
    const operations = Object.values(paths).flatMap((path) => Object.keys(path));
    expect(operations).toHaveLength(routes.length);
    expect(routes.length).toBeGreaterThan(20);
  });

  test("names each parameter of a path, required", () => {
    for (const [path, operations] of Object.entries(paths)) {
      expect(path).not.toContain(":");
      const names = [...path.matchAll(/\{([a-z_]+)\}/g)].map(([, name]) => name);
      for (const { parameters } of Object.values(operations)) {
        const inPath = parameters.filter((parameter) => parameter.in === "path");
        expect(inPath.map(({ name }) => name)).toEqual(names);
        expect(inPath.every(({ required }) => required)).toBe(true);
      }
    }
  });

  test("says of every route who may call it, what it takes, what it answers, and that problems are problems", () => {
    for (const route of routes) {
      const operation = operationOf(route);
      const where = `${route.method} ${route.path}`;
      expect(operation?.summary, where).not.toBe("");
      expect(operation?.security.length === 0, where).toBe(route.access === "public");
      expect(operation?.requestBody === undefined, where).toBe(route.body === null);
      expect(Object.keys(operation?.responses ?? {}).length, where).toBeGreaterThan(1);
      expect(JSON.stringify(operation?.responses.default)).toContain("#/components/schemas/Problem");
    }
  });

  test("tells every code that a problem may have", () => {
    for (const code of ProblemCode.options) expect(JSON.stringify(document)).toContain(code);
  });

  test("is JSON through and through, of the version that was asked for", () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
    expect(document).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" } });
    expect(JSON.stringify(document)).not.toContain('"$schema"');
  });
});

describe("the route table", () => {
  test("has no two routes of one method and path", () => {
    const shapes = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:[a-z_]+/g, ":")}`);
    expect(new Set(shapes).size).toBe(shapes.length);
  });

  test("lets a GET take no body, and caches nothing but public documents", () => {
    for (const { method, path, body, cached, access } of routes) {
      if (method === "GET") expect(body, path).toBeNull();
      if (cached) expect([method, access, path.startsWith("/.well-known/")], path).toEqual(["GET", "public", true]);
    }
  });

  test("admits strangers to the front page, health, the public documents, introspection and bootstrap alone", () => {
    const open = routes.filter(({ access }) => access === "public").map(({ path }) => path);
    for (const path of open)
      expect(path).toMatch(/^\/$|^\/\.well-known\/|^\/api\/health$|^\/api\/v1\/(bootstrap|identity\/introspect)$/);
  });

  test("documents statuses that exist, and limits that hold together", () => {
    for (const { answers } of routes) for (const status of Object.keys(answers)) expect(status).toMatch(/^[1-5]\d\d$/);
    expect(limits.jobSpecBytes).toBeLessThan(limits.bodyBytes);
    expect(limits.viewerFirstFrameBytes).toBeLessThanOrEqual(limits.viewerFrameBytes);
    expect(limits.keyMaterialBytes).toBeLessThanOrEqual(limits.jobSecretBytes);
  });
});
