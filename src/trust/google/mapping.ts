/** What a provider's attribute mapping makes of a token: the attributes, and whether Google takes them. */
import type { TokenClaims, TrustCheck } from "../../protocol/trust.ts";
import { type CelContext, type CelValue, celContext, evaluateCel } from "../cel.ts";
import type { Effort } from "../effort.ts";
import { resultOf } from "../logic.ts";
import { shown } from "../token.ts";
import { type GoogleProvider, googleLimits, mappingDialect } from "./policy.ts";

export interface Mapped {
  readonly checks: TrustCheck[];
  readonly google: Record<string, unknown>;
  readonly attribute: Record<string, unknown>;
  /** Attributes that nobody can tell here. */
  readonly unknown: ReadonlySet<string>;
}

export function mapClaims({ attributeMapping }: GoogleProvider, claims: TokenClaims, effort: Effort): Mapped {
  const context = celContext({ assertion: claims });
  const google: Record<string, unknown> = {};
  const attribute: Record<string, unknown> = {};
  const unknown = new Set<string>();
  const checks = Object.entries(attributeMapping).map(([target, expression]) => {
    const at = `attributeMapping["${target}"]`;
    const value = mappedValue(expression, context, at, effort);
    const [space, name = ""] = target.split(".");
    if (value.kind === "value") (space === "google" ? google : attribute)[name] = value.value;
    if (value.kind === "unknown") unknown.add(target);
    return mappingCheck(at, target, expression, value);
  });
  if (!Object.hasOwn(attributeMapping, "google.subject")) checks.unshift(subjectMissing());
  return {
    checks: [...checks, countCheck(checks.length), sizeCheck({ google, attribute })],
    google,
    attribute,
    unknown,
  };
}

function mappedValue(expression: string, context: CelContext, at: string, effort: Effort): CelValue {
  if (expression.length > googleLimits.mappingChars) return { kind: "error", why: "is too long" };
  return evaluateCel(expression, context, mappingDialect, at, effort);
}

function subjectMissing(): TrustCheck {
  const hint = "map google.subject, for example to assertion.sub127";
  return {
    at: "attributeMapping",
    test: "maps google.subject",
    expected: ["google.subject"],
    seen: null,
    result: "not_met",
    hint,
  };
}

function mappingCheck(at: string, target: string, expression: string, value: CelValue): TrustCheck {
  const problem = mappingProblem(target, expression, value);
  const seen =
    value.kind === "value" ? (Array.isArray(value.value) ? value.value.map(shown) : [shown(value.value)]) : null;
  const result = value.kind === "unknown" ? "unknown" : resultOf(problem === null);
  return {
    at,
    test: expression,
    expected: [limitOf(target)],
    seen,
    result,
    hint: value.kind === "unknown" ? value.why : problem,
  };
}

function limitOf(target: string): string {
  return target === "google.subject" ? `text of 1 to ${googleLimits.subjectBytes} bytes` : "text, or a list of texts";
}

function mappingProblem(target: string, expression: string, value: CelValue): string | null {
  if (!/^(google\.(subject|groups)|attribute\.[a-z0-9_]{1,100})$/.test(target)) {
    return "is no attribute that Google knows: google.subject, google.groups or attribute.NAME of a-z, 0-9 and _";
  }
  if (expression.length > googleLimits.mappingChars) return `is longer than ${googleLimits.mappingChars} characters`;
  if (value.kind === "error") return `it cannot be evaluated with this token: ${value.why}`;
  const result = value.kind === "value" ? value.value : null;
  if (target !== "google.subject")
    return isText(result) || (Array.isArray(result) && result.every(isText)) ? null : "is no text";
  if (!isText(result) || result === "") return "the subject is empty or no text";
  const bytes = new TextEncoder().encode(result).length;
  return bytes <= googleLimits.subjectBytes
    ? null
    : `it has ${bytes} bytes, and Google takes ${googleLimits.subjectBytes}: map assertion.sub127`;
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

function countCheck(count: number): TrustCheck {
  const met = count <= googleLimits.mappings;
  return {
    at: "attributeMapping",
    test: "how many there are",
    expected: [`at most ${googleLimits.mappings}`],
    seen: [String(count)],
    result: resultOf(met),
    hint: met ? null : "map fewer claims",
  };
}

function sizeCheck(mapped: Pick<Mapped, "google" | "attribute">): TrustCheck {
  const texts = [...Object.values(mapped.google), ...Object.values(mapped.attribute)].flat().map(shown);
  const bytes = new TextEncoder().encode(texts.join("")).length;
  const met = bytes <= googleLimits.mappedBytes;
  const hint = met ? null : "map fewer or shorter claims";
  return {
    at: "attributeMapping",
    test: "all values together",
    expected: [`at most ${googleLimits.mappedBytes} bytes`],
    seen: [`${bytes} bytes`],
    result: resultOf(met),
    hint,
  };
}
