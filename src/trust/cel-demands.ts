/**
 * What a condition in CEL demands of a token: the comparisons that some claim must pass on every way to `true`. A
 * claim that is named, but on one side of `||` alone, or compared with itself, is not demanded. Whatever is not
 * understood here demands nothing.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { childrenOf } from "./cel-cost.ts";
import { reachOf } from "./cel-pattern.ts";

/** What holds the claims, and what the names of Google's attributes stand for. */
export interface ClaimNames {
  /** `assertion`, or `claims`. */
  readonly variable: string;
  /** By `attribute.NAME` or `google.subject`: the expression that is mapped to it. */
  readonly mapped: ReadonlyMap<string, ASTNode>;
}

/** A claim that is held to a text, to what begins so, or to what a pattern fits. */
export interface Comparison {
  readonly claim: string;
  readonly how: "exact" | "prefix" | "pattern";
  readonly text: string;
}

/** Literals that a macro's variable runs through. */
type Bound = ReadonlyMap<string, readonly string[]>;

interface Asked {
  readonly names: ClaimNames;
  readonly bound: Bound;
  readonly fits: (comparison: Comparison) => boolean;
}

/** Whether on every way to `true` there is a comparison that `fits`. */
export function demands(tree: ASTNode, names: ClaimNames, fits: Asked["fits"]): boolean {
  return whenTrue(tree, { names, bound: new Map(), fits });
}

/** Every comparison that stands somewhere. */
export function comparisonsIn(tree: ASTNode, names: ClaimNames): Comparison[] {
  const found: Comparison[] = [];
  const collect = (node: ASTNode, bound: Bound): void => {
    found.push(...(comparison(node, names, bound) ?? []));
    const macro = macroOf(node, bound);
    for (const child of childrenOf(node)) collect(child, macro?.bound ?? bound);
  };
  collect(tree, new Map());
  return found;
}

function whenTrue(node: ASTNode, asked: Asked): boolean {
  switch (node.op) {
    case "&&":
      return node.args.some((each) => whenTrue(each, asked));
    case "||":
      return node.args.every((each) => whenTrue(each, asked));
    case "!_":
      return whenFalse(node.args, asked);
    case "?:": {
      const [test, yes, no] = node.args;
      return (whenTrue(test, asked) || whenTrue(yes, asked)) && (whenFalse(test, asked) || whenTrue(no, asked));
    }
    // What is never true lets nobody in.
    case "value":
      return node.args === false;
    default:
      return whenCompared(node, asked);
  }
}

function whenFalse(node: ASTNode, asked: Asked): boolean {
  switch (node.op) {
    case "&&":
      return node.args.every((each) => whenFalse(each, asked));
    case "||":
      return node.args.some((each) => whenFalse(each, asked));
    case "!_":
      return whenTrue(node.args, asked);
    case "!=": {
      const found = equality(node.args, asked.names, asked.bound);
      return found?.every(asked.fits) ?? false;
    }
    case "value":
      return node.args === true;
    default:
      return false;
  }
}

function whenCompared(node: ASTNode, asked: Asked): boolean {
  const found = comparison(node, asked.names, asked.bound);
  if (found !== null) return found.every(asked.fits);
  const macro = macroOf(node, asked.bound);
  return macro !== null && whenTrue(macro.body, { ...asked, bound: macro.bound });
}

/** Alternatives, of which one must hold; null for what is no comparison of a claim with literals. */
function comparison(node: ASTNode, names: ClaimNames, bound: Bound): Comparison[] | null {
  if (node.op === "==") return equality(node.args, names, bound);
  if (node.op === "in") {
    const [left, list] = node.args;
    return list.op === "list" ? alternatives(left, list.args, names, bound) : null;
  }
  if (node.op !== "rcall") return null;
  const [method, receiver, [argument]] = node.args;
  const claim = claimOf(receiver, names);
  if (claim === null || argument === undefined) return null;
  const texts = literalsOf(argument, bound);
  if (texts === null) return null;
  if (method === "startsWith") return texts.map((text) => ({ claim, how: "prefix", text }));
  return method === "matches" ? texts.flatMap((text) => patternOf(claim, text)) : null;
}

/** A pattern that is a list of names is one. */
function patternOf(claim: string, pattern: string): Comparison[] {
  const { exact, beginnings } = reachOf(pattern);
  return exact ? beginnings.map((text) => ({ claim, how: "exact", text })) : [{ claim, how: "pattern", text: pattern }];
}

function equality([left, right]: [ASTNode, ASTNode], names: ClaimNames, bound: Bound): Comparison[] | null {
  return alternatives(left, [right], names, bound) ?? alternatives(right, [left], names, bound);
}

function alternatives(side: ASTNode, others: readonly ASTNode[], names: ClaimNames, bound: Bound): Comparison[] | null {
  const claim = claimOf(side, names) ?? claimOrElse(side, names, others, bound);
  if (claim === null) return null;
  const lists = others.map((other) => literalsOf(other, bound));
  const texts = lists.flatMap((list) => list ?? []);
  return lists.includes(null) ? null : texts.map((text) => ({ claim, how: "exact", text }));
}

/** `claims.?name.orValue('')`, where what stands for a missing claim would not pass. */
function claimOrElse(node: ASTNode, names: ClaimNames, others: readonly ASTNode[], bound: Bound): string | null {
  if (node.op !== "rcall" || node.args[0] !== "orValue") return null;
  const [, optional, [otherwise]] = node.args;
  const instead = otherwise === undefined ? null : literalsOf(otherwise, bound);
  const passing = others.flatMap((other) => literalsOf(other, bound) ?? []);
  if (instead === null || instead.some((text) => passing.includes(text))) return null;
  return optional.op === ".?" || optional.op === "[?]" ? namedClaim(optional, names) : null;
}

/** The texts that it may be, or null where it is no text that stands in the expression. */
function literalsOf(node: ASTNode, bound: Bound): readonly string[] | null {
  if (node.op === "value") return typeof node.args === "string" ? [node.args] : null;
  if (node.op === "id") return bound.get(node.args) ?? null;
  if (node.op !== "+") return null;
  const [left, right] = node.args.map((side) => literalsOf(side, new Map()));
  return left?.length === 1 && right?.length === 1 ? [`${left[0]}${right[0]}`] : null;
}

/** The claim that an expression is, whole: `assertion.ref`, or an attribute that this claim is mapped to. */
export function claimOf(node: ASTNode, names: ClaimNames): string | null {
  if (node.op !== "." && node.op !== "[]") return null;
  const mapped = attributeIn(node);
  if (mapped === null) return namedClaim(node, names);
  const source = names.mapped.get(mapped);
  // Mappings name no attributes: this goes one step deep.
  return source === undefined ? null : namedClaim(source, names);
}

/** The claim that is named here, also where it may be missing: `claims.?ref`. */
export function namedClaim(node: ASTNode, { variable }: ClaimNames): string | null {
  const [from, name] = selection(node) ?? [];
  return from === variable && name !== undefined ? name : null;
}

/** `attribute.ref` or `google.subject`, as a mapping calls it. */
export function attributeIn(node: ASTNode): string | null {
  const [from = "", name] = selection(node) ?? [];
  const space = ({ attribute: "attribute", google_attributes: "google" } as const)[from];
  return space === undefined ? null : `${space}.${name}`;
}

/** The variable and the name of `variable.name`, `variable['name']` and their optional forms. */
function selection(node: ASTNode): [variable: string, name: string] | null {
  if (node.op !== "." && node.op !== ".?" && node.op !== "[]" && node.op !== "[?]") return null;
  const [from, name] = node.args;
  const text = typeof name === "string" ? name : name.args;
  return from.op === "id" && typeof text === "string" ? [from.args, text] : null;
}

/** `list.exists(x, …)` and, where the list has something in it, `list.all(x, …)`. */
function macroOf(node: ASTNode, bound: Bound): { body: ASTNode; bound: Bound } | null {
  if (node.op !== "rcall" || !["exists", "exists_one", "all"].includes(node.args[0])) return null;
  const [, list, [variable, body]] = node.args;
  if (list.op !== "list" || list.args.length === 0 || variable?.op !== "id" || body === undefined) return null;
  const texts = list.args.map((each) => literalsOf(each, bound));
  // Without literals the variable hides whatever an outer one of this name stood for.
  const known = texts.includes(null) ? null : texts.flatMap((each) => each ?? []);
  const inner = new Map([...bound].filter(([name]) => name !== variable.args));
  if (known !== null) inner.set(variable.args, known);
  return { body, bound: inner };
}
