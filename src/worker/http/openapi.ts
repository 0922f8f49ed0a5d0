/** The OpenAPI 3.1 document of a route table. Pure; `npm run openapi` writes it to docs/openapi.json. */
import * as z from "zod";
import { Problem } from "../../protocol/problem.ts";
import { problemKinds } from "./problem.ts";
import type { Access, Answer, Route } from "./route.ts";

type Json = Record<string, unknown>;

const security: Record<Access, Json[]> = {
  public: [],
  person: [{ apiToken: [] }],
  bearer: [{ agentToken: [] }],
  socket: [{ apiToken: [] }, { socketTicket: [] }],
};

const securitySchemes = {
  apiToken: { type: "http", scheme: "bearer", description: "An API token, `sbx_api_…`" },
  agentToken: {
    type: "http",
    scheme: "bearer",
    description: "An agent's credential: registration, access or log token. `Authorization: Token …` is taken too.",
  },
  socketTicket: {
    type: "apiKey",
    in: "header",
    name: "Sec-WebSocket-Protocol",
    description:
      "A ticket from POST /api/v1/socket-tickets, as the subprotocol `signalbox.ticket.…` beside `signalbox.v1`",
  },
};

export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:([a-z_]+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Signalbox", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: { schemas: { Problem: jsonSchema(Problem, "output") }, securitySchemes },
  };
}

function operation(route: Route): Json {
  const answers = Object.entries(route.answers).map(([status, answer]) => [status, response(answer)]);
  return {
    summary: route.summary,
    security: security[route.access],
    parameters: [...pathParameters(route.path), ...queryParameters(route.query)],
    ...(route.body && { requestBody: { required: true, content: jsonContent(jsonSchema(route.body, "input")) } }),
    responses: { ...Object.fromEntries(answers), default: problemResponse },
  };
}

const problemResponse = {
  description: `A problem document; \`code\` is one of ${Object.keys(problemKinds).join(", ")}`,
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

function response({ description, schema, contentType }: Answer): Json {
  if (schema === null) return { description };
  return { description, content: jsonContent(jsonSchema(schema, "output"), contentType) };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:([a-z_]+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", format: "uuid" },
  }));
}

function queryParameters(query: z.ZodObject | null): Json[] {
  if (query === null) return [];
  const { properties = {}, required = [] } = jsonSchema(query, "input") as { properties?: Json; required?: string[] };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}

function jsonContent(schema: Json, contentType = "application/json"): Json {
  return { [contentType]: { schema } };
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
