/** Routes to one fetch function: HEAD, OPTIONS, 404 and 405 are ours; whatever is thrown becomes a problem document. */
import { type IRequestStrict, Router } from "itty-router";
import { Fault, notFound } from "../lib/fault.ts";
import { problemResponse } from "./problem.ts";
import { finish, movedTo } from "./reply.ts";
import type { CallContext, Route } from "./route.ts";

export interface RouterOptions {
  readonly routes: readonly Route[];
  readonly context: CallContext;
  newRequestId(): string;
  /** Before any route is looked at: where else the request belongs, or null. @throws Fault */
  check(request: Request): URL | null;
  /** Then, on whatever path: an answer instead of the route's, or null. */
  beforeRoutes?(request: Request): Promise<Response | null>;
}

export type Fetch = (request: Request) => Promise<Response>;

export function createFetch({ routes, context, newRequestId, check, beforeRoutes }: RouterOptions): Fetch {
  // The plain Router: AutoRouter would hand handlers a proxy of the request, and its errors to the client.
  const router = Router<IRequestStrict, [Request]>();
  for (const route of routes) {
    router.all(route.path, (matched, raw) =>
      matched.method === route.method ? route.run(matched, raw, context) : undefined,
    );
  }
  return async (request) => {
    const requestId = newRequestId();
    try {
      const elsewhere = check(request);
      if (elsewhere !== null) return finish(movedTo(elsewhere), requestId);
      const early = (await beforeRoutes?.(request)) ?? null;
      const response: Response | undefined = early ?? (await router.fetch(routable(request), request));
      return finish(withoutBody(request, response ?? unrouted(request, routes, requestId)), requestId);
    } catch (thrown) {
      return finish(withoutBody(request, problemResponse(thrown, requestId)), requestId);
    }
  };
}

/** What the router looks at: HEAD finds the GET route. The handler gets the request itself. */
function routable(request: Request): IRequestStrict {
  const method = request.method === "HEAD" ? "GET" : request.method;
  return { method, url: request.url } as IRequestStrict;
}

function withoutBody(request: Request, response: Response): Response {
  return request.method === "HEAD" ? new Response(null, response) : response;
}

function unrouted(request: Request, routes: readonly Route[], requestId: string): Response {
  const path = new URL(request.url).pathname;
  const here = routes.filter((route) => matches(route.path, path));
  if (here.length === 0) throw notFound();
  const methods = here.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
  const allow = [...new Set(methods)].join(", ");
  if (request.method === "OPTIONS")
    return preflight(
      allow,
      here.some(({ cached }) => cached),
    );
  const response = problemResponse(new Fault("method_not_allowed", `allowed here: ${allow}`), requestId);
  response.headers.set("allow", allow);
  return response;
}

/** What is public to everybody may be read by any page; nothing else says a word of other origins. */
function preflight(allow: string, isPublic: boolean): Response {
  const cors = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": allow,
    // Such as If-None-Match. A wildcard lets no Authorization through.
    "access-control-allow-headers": "*",
    "access-control-max-age": "86400",
  };
  return new Response(null, { status: 204, headers: { allow, ...(isPublic && cors) } });
}

function matches(routePath: string, path: string): boolean {
  const pattern = routePath.split("/");
  const parts = path.replace(/(.)\/$/, "$1").split("/");
  return pattern.length === parts.length && pattern.every((part, at) => part.startsWith(":") || part === parts[at]);
}
