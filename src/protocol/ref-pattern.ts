/** Patterns over git refs: anchored, case-sensitive, `*` stops at `/`, `**` does not. */
import * as z from "zod";
import { limits } from "./limits.ts";

export const RefPattern = z
  .string()
  .min(1)
  .max(limits.refBytes)
  .regex(/^refs\//, "must begin with refs/")
  // biome-ignore lint/suspicious/noControlCharactersInRegex: git forbids them, so no ref could match
  .regex(/^[^\u0000-\u0020\u007f~^:?[\\]*$/, "must hold only characters that a git ref may hold, '*' and '**'")
  .refine((pattern) => !pattern.includes("***"), "must not hold '***'");

export const RefPatterns = z.array(RefPattern).max(limits.refPatterns);

/** The first of `patterns` that matches `ref`, or null. */
export function matchingPattern(patterns: readonly string[], ref: string): string | null {
  return patterns.find((pattern) => matchesRef(pattern, ref)) ?? null;
}

/** Whether `pattern` matches the whole of `ref`. Linear in pattern times ref: no regular expression to explode. */
export function matchesRef(pattern: string, ref: string): boolean {
  const tokens = pattern.match(/\*\*|\*|[^*]+/g) ?? [];
  let reachable = new Set([0]);
  for (const token of tokens) {
    reachable = token.startsWith("*") ? spread(reachable, ref, token === "**") : step(reachable, ref, token);
    if (reachable.size === 0) return false;
  }
  return reachable.has(ref.length);
}

function step(from: ReadonlySet<number>, ref: string, literal: string): Set<number> {
  const next = new Set<number>();
  for (const at of from) if (ref.startsWith(literal, at)) next.add(at + literal.length);
  return next;
}

function spread(from: ReadonlySet<number>, ref: string, overSlash: boolean): Set<number> {
  const next = new Set<number>();
  let open = false;
  for (let at = 0; at <= ref.length; at++) {
    if (from.has(at)) open = true;
    if (open) next.add(at);
    if (ref[at] === "/" && !overSlash) open = false;
  }
  return next;
}
