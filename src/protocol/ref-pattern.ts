/** Patterns over git refs: anchored, case-sensitive, `*` stops at `/`, `**` does not. */
import * as z from "zod";
import { limits } from "./limits.ts";

/** Each costs a pass over the ref; nobody needs more. */
const wildcardsMax = 16;

export const RefPattern = z
  .string()
  .min(1)
  .max(limits.refBytes)
  .regex(/^refs\//, "must begin with refs/")
  // biome-ignore lint/suspicious/noControlCharactersInRegex: git forbids them, so no ref could match
  .regex(/^[^\u0000-\u0020\u007f~^:?[\\]*$/, "must hold only characters that a git ref may hold, '*' and '**'")
  .refine((pattern) => !pattern.includes("***"), "must not hold '***'")
  .refine((pattern) => pattern.split("*").length <= wildcardsMax + 1, `must not hold more than ${wildcardsMax} '*'`);

export const RefPatterns = z.array(RefPattern).max(limits.refPatterns);

/** Which refs a policy is for: a project's protected refs, or those that match one of its patterns. */
export const PolicyRefs = z
  .union(
    [z.literal("protected"), RefPatterns.min(1)],
    'must be "protected", or a list of ref patterns such as refs/heads/*',
  )
  .default("protected");

/** The first of `patterns` that matches `ref`, or null. */
export function matchingPattern(patterns: readonly string[], ref: string): string | null {
  return patterns.find((pattern) => matchesRef(pattern, ref)) ?? null;
}

/** Whether `pattern` matches the whole of `ref`. Linear in pattern times ref: no regular expression to explode. */
export function matchesRef(pattern: string, ref: string): boolean {
  let reachable = new Uint8Array(ref.length + 1);
  reachable[0] = 1;
  for (const token of pattern.match(/\*\*|\*|[^*]+/g) ?? []) {
    reachable = token.startsWith("*") ? spread(reachable, ref, token === "**") : step(reachable, ref, token);
  }
  return reachable[ref.length] === 1;
}

function step(from: Uint8Array, ref: string, literal: string): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(ref.length + 1);
  for (let at = ref.indexOf(literal); at >= 0; at = ref.indexOf(literal, at + 1)) {
    if (from[at] === 1) next[at + literal.length] = 1;
  }
  return next;
}

function spread(from: Uint8Array, ref: string, overSlash: boolean): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(ref.length + 1);
  let open = 0;
  for (let at = 0; at <= ref.length; at++) {
    if (from[at] === 1) open = 1;
    next[at] = open;
    if (ref[at] === "/" && !overSlash) open = 0;
  }
  return next;
}
