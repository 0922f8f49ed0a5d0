/** The real route table, for tests that hold for every route. */
import { routeTable } from "../../src/worker/app.ts";
import type { Route } from "../../src/worker/http/route.ts";
import { issuer } from "./harness.ts";

/** The routes of the real table. None of them is run, so that what they would call need not be there. */
export function everyRoute(): Route[] {
  const nothing = new Proxy(() => nothing, { get: () => nothing }) as never;
  return routeTable(nothing, nothing, new URL(issuer), nothing);
}
