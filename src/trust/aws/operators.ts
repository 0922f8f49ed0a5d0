/**
 * IAM's condition operators (IAM User Guide, "IAM JSON policy elements: Condition operators", "Set operators for
 * multivalued context keys", "Policy variables"). Whatever is not evaluated here is `unknown`.
 */
import type { TrustResult } from "../../protocol/trust.ts";
import { allOf, anyOf, not, resultOf } from "../logic.ts";
import type { KeyValues } from "./request.ts";

export interface AwsOperator {
  readonly set: "ForAllValues" | "ForAnyValue" | null;
  readonly base: string;
  readonly ifExists: boolean;
  /** StringNotEquals and its like: true where the key is missing. */
  readonly negated: boolean;
}

type Match = (value: string, expected: string) => boolean;

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
export function evaluate(operator: AwsOperator, seen: KeyValues, expected: readonly (string | null)[]): TrustResult {
  if (seen === "unknown") return "unknown";
  if (operator.base === "Null") return isNull(operator, seen, expected);
  const match = matches[negations[operator.base] ?? operator.base];
  if (match === undefined || !Object.hasOwn(matches, negations[operator.base] ?? operator.base)) return "unknown";
  // IAM says nothing of an empty list: a negation of it must not pass for met.
  if (expected.length === 0) return "unknown";
  if (seen === null || seen.length === 0) return whereMissing(operator);
  if (seen.length * expected.length > pairsMax) return "unknown";
  if (match === like && charsOf(seen) * charsOf(expected) > likeStepsMax) return "unknown";
  if (operator.base.startsWith("Numeric") && ![...seen, ...expected].every(isNumber)) return "unknown";
  const fits = (value: string) => {
    const found = anyOf(expected.map((each) => (each === null ? "unknown" : resultOf(match(value, each)))));
    return operator.negated ? not(found) : found;
  };
  if (operator.set === "ForAllValues") return allOf(seen.map(fits));
  if (operator.set === "ForAnyValue") return anyOf(seen.map(fits));
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

/** Beyond these a comparison is not made: whoever asks must not buy more than their share of a processor. */
const pairsMax = 100_000;
const likeStepsMax = 5_000_000;

function charsOf(texts: readonly (string | null)[]): number {
  return texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);
}

/** JavaScript would take "" for 0, and an unequal for whatever is no number. */
function isNumber(text: string | null): boolean {
  return text !== null && /^[+-]?\d+(\.\d+)?$/.test(text);
}

/** Stands for a literal `*`, `?` or `$` that came from `${*}`, so that StringLike does not take it for a wildcard. */
const literals = { "*": "\uE000", "?": "\uE001", $: "\uE002" } as const;

/** `${$}`, `${*}`, `${?}`, and variables that the request has one value of; null where nobody can tell. */
export function resolveVariables(text: string, valuesOf: (key: string) => KeyValues): string | null {
  let known = true;
  const resolved = text.replace(/\$\{([^}]*)\}/g, (_whole, inner: string) => {
    if (inner === "*" || inner === "?" || inner === "$") return literals[inner];
    const values = valuesOf(inner.split(",")[0]?.trim() ?? "");
    if (values !== "unknown" && values?.length === 1) return values[0] ?? "";
    known = false;
    return "";
  });
  return known ? resolved : null;
}

/** What a value reads as, its literals put back. */
export function readable(resolved: string): string {
  return Object.entries(literals).reduce((text, [character, mark]) => text.replaceAll(mark, character), resolved);
}

/** `*` is any run, `?` one character. Linear in pattern times value: no regular expression to explode. */
export function like(value: string, pattern: string): boolean {
  const characters = Array.from(value);
  let reachable = new Uint8Array(characters.length + 1);
  reachable[0] = 1;
  for (const wanted of pattern.replace(/\*+/g, "*")) {
    reachable = wanted === "*" ? onward(reachable) : step(reachable, characters, wanted);
  }
  return reachable[characters.length] === 1;
}

function onward(from: Uint8Array): Uint8Array<ArrayBuffer> {
  const first = from.indexOf(1);
  return Uint8Array.from(from, (_value, at) => (first >= 0 && at >= first ? 1 : 0));
}

function step(from: Uint8Array, characters: readonly string[], wanted: string): Uint8Array<ArrayBuffer> {
  const literal = readable(wanted);
  const next = new Uint8Array(from.length);
  characters.forEach((character, at) => {
    if (from[at] === 1 && (wanted === "?" || character === literal)) next[at + 1] = 1;
  });
  return next;
}

function time(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text);
}
