/**
 * The only way to write a route: it types the params from the path, the principal from whom it admits, query and
 * body from their schemas, and documents the answers. OpenAPI is made from the same table.
 */
import type { IRequestStrict } from "itty-router";
import type * as z from "zod";
import { Id } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { parse } from "../../protocol/parse.ts";
import type { Person } from "../../protocol/principal.ts";
import type { FieldProblem } from "../../protocol/problem.ts";
import { Fault, notFound } from "../lib/fault.ts";
import { type NotJson, readJson } from "./body.ts";
import { requireCredential } from "./credential.ts";
import { fieldProblems } from "./field-problems.ts";

/**
 * Whom a route admits: anybody; a person by API token; the bearer of a credential that its handler checks itself
 * (agents, log pushes, registration); a viewer by header or ticket.
 */
export type Access = "public" | "person" | "bearer" | "socket";

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

interface Admitted {
  public: { readonly principal: null };
  person: { readonly principal: Person };
  bearer: { readonly principal: null; readonly credential: string };
  socket: { readonly principal: null };
}

type ParamNames<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamNames<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

export type Call<Path extends string, Access_ extends Access, Query, Body> = Admitted[Access_] & {
  readonly request: Request;
  readonly url: URL;
  readonly params: Readonly<Record<ParamNames<Path>, string>>;
  readonly query: Query;
  readonly body: Body;
};

/** An answer as the documentation tells it; `schema` null has no body. */
export interface Answer {
  readonly description: string;
  readonly schema: z.ZodType | null;
  readonly contentType?: string;
}

export interface Documentation {
  readonly summary: string;
  readonly answers: Readonly<Record<number, Answer>>;
}

/** What every call brings along. */
export interface CallContext {
  /** @throws Fault `unauthenticated`; `forbidden` for one who comes from outside of the allowed networks */
  authenticate(credential: string, request: Request): Promise<Person>;
}

export interface Route extends Documentation {
  readonly method: Method;
  readonly path: string;
  readonly access: Access;
  /** Anybody may keep the answer, so it depends on nothing but the path and the bindings. */
  readonly cached: boolean;
  readonly query: z.ZodObject | null;
  readonly body: z.ZodType | null;
  run(request: IRequestStrict, raw: Request, context: CallContext): Promise<Response>;
}

interface RouteDefinition<
  Path extends string,
  Access_ extends Access,
  Query extends z.ZodObject | undefined,
  Body extends z.ZodType | undefined,
> extends Documentation {
  readonly method: Method;
  readonly path: Path;
  readonly access: Access_;
  readonly cached?: boolean;
  readonly query?: Query;
  readonly body?: Body;
  /** The code for a body that is no JSON at all. */
  readonly notJson?: NotJson;
  /** What can be refused before the body is read: a credential that needs no row to be found wanting. */
  before?(call: Omit<Call<Path, Access_, undefined, undefined>, "query" | "body">): Promise<void>;
  handle(call: Call<Path, Access_, Output<Query>, Output<Body>>): Promise<Response> | Response;
}

type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

export function route<
  const Path extends string,
  Access_ extends Access,
  Query extends z.ZodObject | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(definition: RouteDefinition<Path, Access_, Query, Body>): Route {
  const { method, path, access, summary, answers } = definition;
  const query = definition.query ?? null;
  const body = definition.body ?? null;
  return {
    method,
    path,
    access,
    summary,
    answers,
    cached: definition.cached ?? false,
    query,
    body,
    // Order: who asks, then what is asked. A stranger learns nothing of schemas or ids.
    async run(matched, raw, context) {
      const admitted = await admit(access, raw, context);
      const asked = { ...admitted, request: raw, url: new URL(raw.url), params: readParams(matched.params) };
      await definition.before?.(asked as unknown as Call<Path, Access_, undefined, undefined>);
      const call = {
        ...asked,
        query: query === null ? undefined : readQuery(query, raw),
        body: body === null ? undefined : await readJson(raw, body, limits.bodyBytes, definition.notJson),
      };
      return definition.handle(call as unknown as Call<Path, Access_, Output<Query>, Output<Body>>);
    },
  };
}

async function admit(access: Access, request: Request, context: CallContext) {
  switch (access) {
    case "public":
    case "socket":
      return { principal: null };
    case "bearer":
      return { principal: null, credential: requireCredential(request) };
    case "person":
      return { principal: await context.authenticate(requireCredential(request), request) };
  }
}

/** Every path parameter is an id; one that is malformed names nothing that exists. */
function readParams(params: Readonly<Record<string, string>>): Record<string, string> {
  for (const value of Object.values(params)) if (!Id.safeParse(value).success) throw notFound();
  return params;
}

function readQuery(schema: z.ZodObject, request: Request): unknown {
  const asked = new URL(request.url).searchParams;
  // The first to one reader, the last to another: a proxy or a log would tell of another request than was answered.
  const repeated = Object.keys(schema.shape).filter((name) => asked.getAll(name).length > 1);
  if (repeated.length > 0) {
    throw unfitQuery(repeated.map((name) => ({ pointer: `?${name}`, detail: "is given more than once" })));
  }
  const parsed = parse(schema, Object.fromEntries(asked));
  if (parsed.success) return parsed.data;
  throw unfitQuery(fieldProblems(parsed.misfits, "?"));
}

function unfitQuery(errors: readonly FieldProblem[]): Fault {
  return new Fault("invalid_request", "the query does not fit", { errors });
}
