/** A schema's refusals as field problems: RFC 6901 pointers for bodies, `?name` for query parameters. */
import type * as z from "zod";
import type { FieldProblem } from "../../protocol/problem.ts";

const shown = 20;

export function fieldProblems(error: z.ZodError, prefix: "/" | "?"): FieldProblem[] {
  return error.issues
    .flatMap((issue) => placed(issue))
    .slice(0, shown)
    .map(({ path, detail }) => ({
      pointer: path.length === 0 && prefix === "/" ? "" : prefix + path.map(escapePointer).join("/"),
      detail,
    }));
}

/** A schema refuses all unknown members of an object at once, and in the object's name. */
function placed(issue: z.core.$ZodIssue): { path: readonly PropertyKey[]; detail: string }[] {
  if (issue.code !== "unrecognized_keys") return [{ path: issue.path, detail: issue.message }];
  return issue.keys.map((key) => ({ path: [...issue.path, key], detail: "is not known here" }));
}

function escapePointer(part: PropertyKey): string {
  return String(part).replaceAll("~", "~0").replaceAll("/", "~1");
}
