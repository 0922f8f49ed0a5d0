/**
 * IAM's condition operators (IAM User Guide, "IAM JSON policy elements: Condition operators", "Set operators for
 * multivalued context keys", "Policy variables"). Whatever is not evaluated here is `unknown`.
 */
import type { TrustResult } from "../../protocol/trust.ts";
import { Effort } from "../effort.ts";
import { allOf, anyOf, not, resultOf } from "../logic.ts";
import { like, literals } from "./like.ts";
import type { KeyValues } from "./request.ts";

export interface AwsOperator {
  readonly set: "ForAllValues" | "ForAnyValue" | null;
  readonly base: string;
  readonly ifExists: boolean;
  /** StringNotEquals and its like: true where the key is missing. */
  readonly negated: boolean;
}

type Match = (value: string, expected: string, effort: Effort) => boolean;

const matches: Readonly<Record<string, Match>> = {
  StringEquals: (value, expected) => value === expected,
  StringEqualsIgnoreCase: (value, expected) => value.toLowerCase() === expected.toLowerCase(),
  StringLike: like,
  Bool: (value, expected) => value.toLowerCase() === expected.toLowerCase(),
  NumericEquals: (value, expected) => Number(value) === Number(expected),
  NumericLessThan: (value, expected) => Number(value) < Number(expected),
  NumericLessThanEquals: (value, expected) => Number(value) <= Number(expected),
  NumericGreaterThan: (value, expected) => Number(value) > Number(expected),
  NumericGreaterThanEquals: (value, expected) => Number(value) >= Number(expected),
  DateLessThan: (value, expected) => time(value) < time(expected),
  DateLessThanEquals: (value, expected) => time(value) <= time(expected),
  DateGreaterThan: (value, expected) => time(value) > time(expected),
  DateGreaterThanEquals: (value, expected) => time(value) >= time(expected),
};
const negations: Readonly<Record<string, string>> = {
  StringNotEquals: "StringEquals",
  StringNotEqualsIgnoreCase: "StringEqualsIgnoreCase",
  StringNotLike: "StringLike",
  NumericNotEquals: "NumericEquals",
};

export function parseOperator(name: string): AwsOperator {
  const [, set, base = name, ifExists] = /^(?:(ForAllValues|ForAnyValue):)?(.+?)(IfExists)?$/.exec(name) ?? [];
  return {
    set: (set as AwsOperator["set"]) ?? null,
    base,
    ifExists: ifExists !== undefined,
    negated: Object.hasOwn(negations, base),
  };
}

/** @param expected the policy's values, variables resolved; null stands for one that cannot be. */
export function evaluate(
  operator: AwsOperator,
  seen: KeyValues,
  expected: readonly (string | null)[],
  effort = new Effort(),
): TrustResult {
  if (seen === "unknown") return "unknown";
  if (operator.base === "Null") return isNull(operator, seen, expected);
  const match = matches[negations[operator.base] ?? operator.base];
  if (match === undefined || !Object.hasOwn(matches, negations[operator.base] ?? operator.base)) return "unknown";
  // IAM says nothing of an empty list: a negation of it must not pass for met.
  if (expected.length === 0) return "unknown";
  if (seen === null || seen.length === 0) return whereMissing(operator);
  if (!effort.spend(seen.length * expected.length)) return "unknown";
  if (operator.base.startsWith("Numeric") && ![...seen, ...expected].every(isNumber)) return "unknown";
  const fits = (value: string) => {
    const found = anyOf(expected.map((each) => (each === null ? "unknown" : resultOf(match(value, each, effort)))));
    return operator.negated ? not(found) : found;
  };
  const result = compared(operator, seen, fits);
  return effort.spent ? "unknown" : result;
}

function compared({ set }: AwsOperator, seen: readonly string[], fits: (value: string) => TrustResult): TrustResult {
  if (set === "ForAllValues") return allOf(seen.map(fits));
  if (set === "ForAnyValue") return anyOf(seen.map(fits));
  // Without a set operator IAM defines the comparison for one value alone.
  return seen.length === 1 ? fits(seen[0] ?? "") : "unknown";
}

function whereMissing({ set, ifExists, negated }: AwsOperator): TrustResult {
  if (set === "ForAllValues") return "met";
  if (set === "ForAnyValue") return ifExists ? "unknown" : "not_met";
  return resultOf(ifExists || negated);
}

function isNull({ set, ifExists }: AwsOperator, seen: readonly string[] | null, expected: readonly (string | null)[]) {
  if (set !== null || ifExists) return "unknown";
  const isMissing = String(seen === null || seen.length === 0);
  const wanted = expected.map((each) => each?.toLowerCase() ?? "");
  return wanted.every((each) => /^(true|false)$/.test(each))
    ? resultOf(wanted.some((each) => each === isMissing))
    : "unknown";
}

/** JavaScript would take "" for 0, and an unequal for whatever is no number. */
function isNumber(text: string | null): boolean {
  return text !== null && /^[+-]?\d+(\.\d+)?$/.test(text);
}

/** Longer ones no key of IAM's holds. */
const resolvedCharsMax = 65_536;

/**
 * `${$}`, `${*}`, `${?}`, and variables that the request has one value of; null where nobody can tell.
 * @param effort what a variable stands for may be longer than its name.
 */
export function resolveVariables(
  text: string,
  valuesOf: (key: string) => KeyValues,
  effort = new Effort(),
): string | null {
  let known = true;
  let characters = text.length;
  // No brace within a variable: where none is closed, each would be looked for to the end.
  const resolved = text.replace(/\$\{([^{}]*)\}/g, (_whole, inner: string) => {
    if (inner === "*" || inner === "?" || inner === "$") return literals[inner];
    const values = known ? valuesOf(inner.split(",")[0]?.trim() ?? "") : null;
    const value = values !== "unknown" && values?.length === 1 ? (values[0] ?? "") : null;
    characters += value?.length ?? 0;
    known = value !== null && characters <= resolvedCharsMax && effort.spend(value.length);
    return known && value !== null ? value : "";
  });
  return known ? resolved : null;
}

function time(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text);
}
