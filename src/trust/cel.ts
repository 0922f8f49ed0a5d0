/**
 * Google's and Kubernetes' conditions in the Common Expression Language: a library evaluates them. What it does not
 * know is `unknown`; so is what would cost too much, since whoever asks chose the expression.
 */
import { type ASTNode, Environment, ParseError } from "@marcbachmann/cel-js";
import type { TrustResult } from "../protocol/trust.ts";
import { PolicyError, placeOf } from "./policy-error.ts";

export type CelValue =
  | { readonly kind: "value"; readonly value: unknown }
  /** The cloud's own evaluation fails too: a missing claim, an operator on the wrong type. */
  | { readonly kind: "error"; readonly why: string }
  /** Nobody can tell here. */
  | { readonly kind: "unknown"; readonly why: string };

export interface CelDialect {
  readonly variables: readonly string[];
  /** Google's own function (Google Cloud IAM, "Conditions attribute reference": extract). */
  readonly extract: boolean;
  /** Kubernetes' `claims.?name`. */
  readonly optionals: boolean;
}

const macros = new Set(["all", "exists", "exists_one", "map", "filter"]);
/** A text that a pattern is tried on, at most. */
const regexInputMax = 2048;

/**
 * @param at where the expression stands, for a refusal.
 * @throws PolicyError for an expression that does not parse.
 */
export function evaluateCel(
  expression: string,
  context: Readonly<Record<string, unknown>>,
  dialect: CelDialect,
  at: string,
): CelValue {
  const environment = environmentOf(dialect);
  const parsed = parse(environment, expression, at);
  if (parsed === null) return { kind: "unknown", why: tooLarge };
  const costly = costOf(parsed.ast, context);
  if (costly !== null) return { kind: "unknown", why: costly };
  const checked = parsed.check();
  if (!checked.valid) return { kind: "unknown", why: firstLine(checked.error?.message ?? "is not understood here") };
  try {
    return { kind: "value", value: parsed(celContext(context)) };
  } catch (error) {
    return { kind: "error", why: firstLine(error instanceof Error ? error.message : String(error)) };
  }
}

/** A condition: only `true` is met. */
export function conditionResult(value: CelValue): TrustResult {
  if (value.kind === "unknown") return "unknown";
  return value.kind === "value" && value.value === true ? "met" : "not_met";
}

/** The library keeps `google` for protobuf's types, so that Google's own variable of that name goes by another. */
function alias(name: string): string {
  return name === "google" ? "google_attributes" : name;
}

function rename(node: ASTNode): void {
  if (node.op === "id") Object.assign(node, { args: alias(node.args) });
  for (const child of childrenOf(node)) rename(child);
}

/** Parses alone, for lint. @throws PolicyError */
export function celTree(expression: string, dialect: CelDialect, at: string): ASTNode {
  const parsed = parse(environmentOf(dialect), expression, at);
  if (parsed === null) throw new PolicyError(at, tooLarge);
  return parsed.ast;
}

const tooLarge = "is larger than is evaluated here";

/** Null where it is too large. */
function parse(environment: Environment, expression: string, at: string) {
  try {
    const parsed = environment.parse(expression);
    rename(parsed.ast);
    return parsed;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    if (error.code === "limit_exceeded") return null;
    const place = placeOf(expression, error.range?.start ?? 0);
    throw new PolicyError(`${at}, ${place}`, firstLine(error.message));
  }
}

function environmentOf({ variables, extract, optionals }: CelDialect): Environment {
  const environment = new Environment({
    enableOptionalTypes: optionals,
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 2000, maxDepth: 60, maxListElements: 500, maxMapEntries: 100, maxCallArguments: 8 },
  });
  for (const name of variables) environment.registerVariable(alias(name), "dyn");
  if (extract) environment.registerFunction("string.extract(string): string", extractByTemplate);
  return environment;
}

/**
 * Google's `extract`: the part of `value` that the template's `{name}` stands for, "" where it does not fit. What
 * stands before the braces is looked for first; what stands behind them ends the part (none: the end of the value).
 */
export function extractByTemplate(value: string, template: string): string {
  const [, before = "", behind = ""] = /^([^{]*)\{[^}]*\}(.*)$/s.exec(template) ?? [];
  const start = value.indexOf(before);
  if (start < 0) return "";
  const from = start + before.length;
  const end = behind === "" ? value.length : value.indexOf(behind, from);
  return end < 0 ? "" : value.slice(from, end);
}

/** Whole numbers are CEL's int; JavaScript's numbers would be doubles, which ints are not compared with. */
function celContext(context: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(context).map(([name, value]) => [alias(name), celValue(value)]));
}

function celValue(value: unknown): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(celValue);
  // A Map: a claim named __proto__ or constructor is a claim, and nothing else.
  if (typeof value === "object" && value !== null) {
    return new Map(Object.entries(value).map(([name, each]) => [name, celValue(each)]));
  }
  return value;
}

/** Why an expression is not evaluated, or null. */
function costOf(tree: ASTNode, context: Readonly<Record<string, unknown>>): string | null {
  let why: string | null = null;
  walk(tree, 0, (node, macroDepth) => {
    if (macroDepth > 1) why = "comprehensions within comprehensions are not evaluated here";
    const call = matchesCall(node);
    if (call === null) return;
    const isCheap = isMember(call.on) && isSimpleRegex(call.pattern) && !hasLongText(context);
    if (!isCheap) why = "matches() with this pattern, or on this text, is not evaluated here";
  });
  return why;
}

/** `assertion.ref` or `assertion['ref']`: as long as the claim, and not put together. */
function isMember(node: ASTNode | undefined): boolean {
  return (node?.op === "." || node?.op === "[]") && node.args[0].op === "id";
}

function hasLongText(value: unknown): boolean {
  if (typeof value === "string") return value.length > regexInputMax;
  return typeof value === "object" && value !== null && Object.values(value).some(hasLongText);
}

function walk(node: ASTNode, macroDepth: number, visit: (node: ASTNode, macroDepth: number) => void): void {
  const inner = node.op === "rcall" && macros.has(node.args[0]) ? macroDepth + 1 : macroDepth;
  visit(node, inner);
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

/** A call of `matches`: on what, and its literal pattern, "" (which is not simple) for one that is computed. */
function matchesCall(node: ASTNode): { on: ASTNode | undefined; pattern: string } | null {
  if (node.op !== "rcall" || node.args[0] !== "matches") return null;
  const [, on, [pattern]] = node.args;
  return { on, pattern: pattern?.op === "value" && typeof pattern.args === "string" ? pattern.args : "" };
}

/**
 * RE2's language and JavaScript's agree here, and no pattern explodes: no group is repeated, nothing looks around or
 * back, and no more than two characters are repeated or optional, or one where the pattern may begin anywhere.
 */
function isSimpleRegex(pattern: string): boolean {
  if (pattern === "" || /\(\?|\)[*+?]|\\[^.\\/$^*+?()[\]{}|dw-]|\[\[|\{/.test(pattern)) return false;
  const repeated = pattern.replace(/\\./g, "").match(/[*+?]/g)?.length ?? 0;
  return repeated <= (pattern.startsWith("^") && !pattern.includes("|") ? 2 : 1);
}

function firstLine(text: string): string {
  return text.split("\n")[0]?.trim() ?? "";
}
