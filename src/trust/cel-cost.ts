/**
 * What an expression costs at most, by its form and the claims' sizes, before it is evaluated: whoever asks chose the
 * expression and the token. What would cost too much, or nobody can bound, is not evaluated.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { type Effort, tooCostly } from "./effort.ts";

/** Sizes of what an expression may look at. */
export interface CelSizes {
  readonly longestText: number;
  /** Of lists and maps. */
  readonly longestList: number;
}

/** A text that a pattern is tried on, at most. */
const regexInputMax = 2048;
/** Characters that one call looks through in the time of a step. */
const charactersPerStep = 16;

const macros = new Set(["all", "exists", "exists_one", "map", "filter"]);

/** Why the expression is not evaluated, or null: then its steps are spent. */
export function costOf(tree: ASTNode, sizes: CelSizes, effort: Effort): string | null {
  let why: string | null = null;
  let steps = 0;
  walk(tree, null, (node, macro) => {
    const call = node.op === "rcall" ? node.args : null;
    const times = macro === null ? 1 : elementsOf(macro, sizes);
    if (times === null) why = "comprehensions over what is put together are not evaluated here";
    if (macro !== null && isMacro(node)) why = "comprehensions within comprehensions are not evaluated here";
    if (call?.[0] === "bind") why = "cel.bind() is not evaluated here";
    const looksThrough = node.op === "call" || node.op === "rcall" || node.op === "+" || node.op === "==";
    steps += (times ?? 1) * (looksThrough ? 1 + Math.ceil(sizes.longestText / charactersPerStep) : 1);
    if (call?.[0] !== "matches") return;
    const pattern = literalPattern(call[2][0]);
    const repeated = isMember(call[1]) && sizes.longestText <= regexInputMax ? simpleRepeats(pattern) : null;
    if (repeated === null) why = "matches() with this pattern, or on this text, is not evaluated here";
    else steps += (times ?? 1) * (sizes.longestText + 1) ** repeated;
  });
  if (why !== null) return why;
  return effort.spend(steps) ? null : tooCostly;
}

export function sizesOf(value: unknown): CelSizes {
  if (typeof value === "string") return { longestText: value.length, longestList: 0 };
  if (typeof value !== "object" || value === null) return { longestText: 0, longestList: 0 };
  const members = Object.values(value);
  return members.map(sizesOf).reduce(
    (most, each) => ({
      longestText: Math.max(most.longestText, each.longestText),
      longestList: Math.max(most.longestList, each.longestList),
    }),
    { longestText: 0, longestList: members.length },
  );
}

function isMacro(node: ASTNode): boolean {
  return node.op === "rcall" && macros.has(node.args[0]);
}

/** How often a macro's body runs, or null for a list that is made by the expression. */
function elementsOf(macro: ASTNode, { longestList }: CelSizes): number | null {
  const list = macro.op === "rcall" ? macro.args[1] : undefined;
  if (list?.op === "list" || list?.op === "map") return list.args.length;
  return isMember(list) ? longestList : null;
}

/** `assertion.ref` or `assertion['ref']`: as long as the claim, and not put together. */
function isMember(node: ASTNode | undefined): boolean {
  return (node?.op === "." || node?.op === "[]") && node.args[0].op === "id";
}

/** `macro`: the comprehension that the node stands in. */
function walk(node: ASTNode, macro: ASTNode | null, visit: (node: ASTNode, macro: ASTNode | null) => void): void {
  visit(node, macro);
  const inner = isMacro(node) ? node : macro;
  for (const child of childrenOf(node)) walk(child, inner, visit);
}

export function childrenOf(node: ASTNode): ASTNode[] {
  const found: ASTNode[] = [];
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) for (const each of value) collect(each);
    else if (isNode(value)) found.push(value);
  };
  collect(node.args);
  return found;
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === "object" && value !== null && "op" in value && "args" in value;
}

/** "", which is not simple, for one that is computed. */
function literalPattern(node: ASTNode | undefined): string {
  return node?.op === "value" && typeof node.args === "string" ? node.args : "";
}

/**
 * How many characters of a simple pattern are repeated or optional; null for one that is not simple. RE2's language and
 * JavaScript's agree in simple ones, and none explodes: no group is repeated, nothing looks around or back, and no more
 * than two characters are repeated, or one where the pattern may begin anywhere.
 */
function simpleRepeats(pattern: string): number | null {
  if (pattern === "" || /\(\?|\)[*+?]|\\[^.\\/$^*+?()[\]{}|dw-]|\[\[|\{/.test(pattern)) return null;
  const repeated = pattern.replace(/\\./g, "").match(/[*+?]/g)?.length ?? 0;
  const isAnchored = pattern.startsWith("^") && !pattern.includes("|");
  if (repeated > (isAnchored ? 2 : 1)) return null;
  return isAnchored ? Math.max(1, repeated) : repeated + 1;
}
