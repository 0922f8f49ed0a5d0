/** A schema's refusals as field problems: RFC 6901 pointers for bodies, `?name` for query parameters. */
import type * as z from "zod";
import type { FieldProblem } from "../../protocol/problem.ts";

const shown = 20;

export function fieldProblems(error: z.ZodError, prefix: "/" | "?"): FieldProblem[] {
  return error.issues.slice(0, shown).map((issue) => ({
    pointer: issue.path.length === 0 && prefix === "/" ? "" : prefix + issue.path.map(escapePointer).join("/"),
    detail: issue.message,
  }));
}

function escapePointer(part: PropertyKey): string {
  return String(part).replaceAll("~", "~0").replaceAll("/", "~1");
}
