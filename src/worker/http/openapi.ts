/** The OpenAPI 3.1 document of a route table. Pure; `npm run openapi` writes it to docs/openapi.json. */
import * as z from "zod";
import { Problem } from "../../protocol/problem.ts";
import { problemKinds } from "./problem.ts";
import type { Access, Answer, Route } from "./route.ts";

type Json = Record<string, unknown>;

/** Schemas that have a name in the document, by that name; every other one stands where it is used. */
export type NamedSchemas = Readonly<Record<string, z.ZodType>>;

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

export function openApiDocument(routes: readonly Route[], named: NamedSchemas, version: string): Json {
  const schemas = new SchemaBook({ ...named, Problem });
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:([a-z_]+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, schemas) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Signalbox", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: { schemas: schemas.components(), securitySchemes },
  };
}

/**
 * JSON schemas, with references to the named ones. What a request may leave out an answer always has, so a named
 * schema that a request uses has a component of its own, `…Input`.
 */
class SchemaBook {
  readonly #named = z.registry<{ id: string }>();
  readonly #components = new Map<string, Json>();

  constructor(named: NamedSchemas) {
    for (const [id, schema] of Object.entries(named)) this.#named.add(schema, { id });
    // Every answer that is no success refers to it.
    this.of(Problem, "output");
  }

  of(schema: z.ZodType, io: "input" | "output"): Json {
    const suffix = io === "input" ? "Input" : "";
    const made = z.toJSONSchema(schema, { io, unrepresentable: "any", metadata: this.#named }) as Json;
    const { $schema: _, $defs = {}, ...rest } = renamed(made, suffix) as Json & { $defs?: Record<string, Json> };
    for (const [id, definition] of Object.entries($defs)) this.#add(id + suffix, definition);
    const own = this.#named.get(schema)?.id;
    if (own === undefined) return rest;
    // Zod refers to the root too, and defines it beside the others.
    if (rest.$ref === undefined) this.#add(own + suffix, rest);
    return { $ref: `#/components/schemas/${own}${suffix}` };
  }

  components(): Json {
    return Object.fromEntries([...this.#components].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #add(id: string, { id: _, ...definition }: Json): void {
    this.#components.set(id, definition);
  }
}

function renamed(schema: Json, suffix: string): unknown {
  const text = JSON.stringify(schema).replaceAll(/"#\/\$defs\/([A-Za-z0-9]+)"/g, `"#/components/schemas/$1${suffix}"`);
  return JSON.parse(text);
}

function operation(route: Route, schemas: SchemaBook): Json {
  const answers = Object.entries(route.answers).map(([status, answer]) => [status, response(answer, schemas)]);
  return {
    summary: route.summary,
    security: security[route.access],
    parameters: [...pathParameters(route.path), ...queryParameters(route.query, schemas)],
    ...(route.body && { requestBody: { required: true, content: jsonContent(schemas.of(route.body, "input")) } }),
    responses: { ...Object.fromEntries(answers), default: problemResponse },
  };
}

const problemResponse = {
  description: `A problem document; \`code\` is one of ${Object.keys(problemKinds).join(", ")}`,
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

function response({ description, schema, contentType }: Answer, schemas: SchemaBook): Json {
  if (schema === null) return { description };
  return { description, content: jsonContent(schemas.of(schema, "output"), contentType) };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:([a-z_]+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", format: "uuid" },
  }));
}

function queryParameters(query: z.ZodObject | null, schemas: SchemaBook): Json[] {
  if (query === null) return [];
  const { properties = {}, required = [] } = schemas.of(query, "input") as { properties?: Json; required?: string[] };
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
