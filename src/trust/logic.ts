/** Three-valued logic, so that what cannot be evaluated is never taken for met. */
import type { TrustExplanation, TrustResult, TrustVerdict } from "../protocol/trust.ts";

export type Part = TrustExplanation["parts"][number];

export function allOf(results: readonly TrustResult[]): TrustResult {
  if (results.includes("not_met")) return "not_met";
  return results.includes("unknown") ? "unknown" : "met";
}

export function anyOf(results: readonly TrustResult[]): TrustResult {
  if (results.includes("met")) return "met";
  return results.includes("unknown") ? "unknown" : "not_met";
}

export function not(result: TrustResult): TrustResult {
  if (result === "unknown") return result;
  return result === "met" ? "not_met" : "met";
}

export function resultOf(met: boolean): TrustResult {
  return met ? "met" : "not_met";
}

/** A deny wins; every `all` must be met; of the `any` parts one. */
export function verdictOf(parts: readonly Part[]): TrustVerdict {
  const results = (role: Part["role"]) => parts.filter((part) => part.role === role).map(({ result }) => result);
  const alternatives = results("any");
  const whole = allOf([
    ...results("all"),
    ...results("deny").map(not),
    ...(alternatives.length === 0 ? [] : [anyOf(alternatives)]),
  ]);
  return ({ met: "accepted", not_met: "refused", unknown: "unknown" } as const)[whole];
}
