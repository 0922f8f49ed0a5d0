/** A schema's refusals as field problems: RFC 6901 pointers for bodies, `?name` for query parameters. */
import type { Misfit } from "../../protocol/parse.ts";
import type { FieldProblem } from "../../protocol/problem.ts";

const shown = 20;

export function fieldProblems(misfits: readonly Misfit[], prefix: "/" | "?"): FieldProblem[] {
  return misfits.slice(0, shown).map(({ path, detail }) => ({
    pointer: path.length === 0 && prefix === "/" ? "" : prefix + path.map(escapePointer).join("/"),
    detail,
  }));
}

function escapePointer(part: PropertyKey): string {
  return String(part).replaceAll("~", "~0").replaceAll("/", "~1");
}
