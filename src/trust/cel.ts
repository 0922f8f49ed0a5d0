/**
 * Google's and Kubernetes' conditions in the Common Expression Language: a library evaluates them. What it does not
 * know is `unknown`; so is what would cost too much, since whoever asks chose the expression.
 */
import { type ASTNode, Environment, ParseError } from "@marcbachmann/cel-js";
import type { TrustResult } from "../protocol/trust.ts";
import { type CelSizes, childrenOf, costOf, sizesOf } from "./cel-cost.ts";
import type { Effort } from "./effort.ts";
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

/** What an expression looks at, made once for all that look at it. */
export interface CelContext {
  readonly values: Readonly<Record<string, unknown>>;
  readonly sizes: CelSizes;
}

/** Whole numbers are CEL's int; JavaScript's numbers would be doubles, which ints are not compared with. */
export function celContext(context: Readonly<Record<string, unknown>>): CelContext {
  const values = Object.fromEntries(Object.entries(context).map(([name, value]) => [alias(name), celValue(value)]));
  return { values, sizes: sizesOf(Object.values(context)) };
}

/**
 * @param at where the expression stands, for a refusal.
 * @param effort of all that is evaluated for one answer.
 * @throws PolicyError for an expression that does not parse.
 */
export function evaluateCel(
  expression: string,
  { values, sizes }: CelContext,
  dialect: CelDialect,
  at: string,
  effort: Effort,
): CelValue {
  const environment = environmentOf(dialect);
  const parsed = parse(environment, expression, at);
  if (parsed === null) return { kind: "unknown", why: tooLarge };
  const costly = costOf(parsed.ast, sizes, effort);
  if (costly !== null) return { kind: "unknown", why: costly };
  try {
    const checked = parsed.check();
    if (!checked.valid) return { kind: "unknown", why: firstLine(checked.error?.message ?? "is not understood here") };
    return { kind: "value", value: parsed(values) };
  } catch (error) {
    // The library ran out of stack, or of room for a text: the cloud need not.
    if (error instanceof RangeError) return { kind: "unknown", why: tooLarge };
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
    if (error instanceof RangeError) return null;
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
function extractByTemplate(value: string, template: string): string {
  const [, before = "", behind = ""] = /^([^{]*)\{[^}]*\}(.*)$/s.exec(template) ?? [];
  const start = value.indexOf(before);
  if (start < 0) return "";
  const from = start + before.length;
  const end = behind === "" ? value.length : value.indexOf(behind, from);
  return end < 0 ? "" : value.slice(from, end);
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

function firstLine(text: string): string {
  return text.split("\n")[0]?.trim() ?? "";
}
