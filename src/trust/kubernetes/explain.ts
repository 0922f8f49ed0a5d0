/** Whether a Kubernetes API server takes a token by its structured authentication, and whom it makes of it. */
import type { TokenClaims, TrustCheck, TrustExplanation } from "../../protocol/trust.ts";
import { type CelContext, type CelDialect, type CelValue, celContext, conditionResult, evaluateCel } from "../cel.ts";
import type { Effort } from "../effort.ts";
import { allOf, type Part, resultOf, verdictOf } from "../logic.ts";
import {
  audienceCheck,
  issuerCheck,
  namedClaims,
  own,
  type Seconds,
  seenClaim,
  shown,
  textClaim,
  timeChecks,
} from "../token.ts";
import { claimsDialect, type KubernetesAuthenticator, type KubernetesMapping, userDialect } from "./policy.ts";

/**
 * @param effort for all expressions together.
 * @throws PolicyError for an expression that does not parse.
 */
export function explainKubernetes(
  authenticators: readonly KubernetesAuthenticator[],
  claims: TokenClaims,
  now: Seconds,
  effort: Effort,
): TrustExplanation {
  const issuer = textClaim(claims, "iss");
  const index = authenticators.findIndex(({ issuer: { url } }) => url === issuer);
  const found = authenticators[index];
  const parts = [
    part("the token", timeChecks(claims, now, 0)),
    ...(found === undefined
      ? [
          part(
            "jwt",
            authenticators.map((each, at) => issuerAt(each, at, claims)),
          ),
        ]
      : [...onceParts(authenticators, found), ...authenticator(found, index, claims, effort)]),
  ];
  const verdict = verdictOf(parts);
  const wanted = verdict === "refused" ? "not_met" : "unknown";
  const decisive = parts.flatMap(({ checks }) => checks).find(({ result }) => result === wanted);
  return {
    cloud: "kubernetes",
    verdict,
    because: decisive === undefined ? "every rule is met" : `${decisive.at}: ${decisive.hint ?? "is not met"}`,
    parts,
    assumes: [
      "the token's signature is good, and the API server can fetch the issuer's keys",
      "what the user may then do, RBAC says: this is about who it is",
    ],
  };
}

function part(name: string, checks: TrustCheck[]): Part {
  return { name, role: "all", result: allOf(checks.map(({ result }) => result)), checks };
}

/** The API server does not start with an issuer that stands twice. */
function onceParts(all: readonly KubernetesAuthenticator[], { issuer: { url } }: KubernetesAuthenticator): Part[] {
  const times = all.filter(({ issuer }) => issuer.url === url).length;
  if (times === 1) return [];
  const hint = "the API server takes each issuer once: join the rules by ||";
  const seen = [`${times} times`];
  return [part("jwt", [{ at: "jwt", test: "has the issuer once", expected: [url], seen, result: "not_met", hint }])];
}

function issuerAt({ issuer }: KubernetesAuthenticator, index: number, claims: TokenClaims): TrustCheck {
  return issuerCheck(`jwt[${index}].issuer.url`, issuer.url, claims);
}

/** The token's claims, as checks and expressions look at them, and how much may still be spent. */
interface Asked {
  readonly claims: TokenClaims;
  readonly context: CelContext;
  readonly effort: Effort;
}

function authenticator(config: KubernetesAuthenticator, index: number, claims: TokenClaims, effort: Effort): Part[] {
  const at = `jwt[${index}]`;
  const asked = { claims, context: celContext({ claims }), effort };
  const user = mapUser(config, at, asked);
  const userContext = celContext({ user: user.user });
  return [
    part(`${at}.issuer`, [issuerAt(config, index, claims), ...audienceChecks(config, at, claims)]),
    part(
      `${at}.claimValidationRules`,
      config.claimValidationRules.map((rule, number) =>
        ruleCheck(rule, `${at}.claimValidationRules[${number}]`, asked),
      ),
    ),
    part(`${at}.claimMappings`, user.checks),
    part(
      `${at}.userValidationRules`,
      config.userValidationRules.map(({ expression }, number) =>
        userCheck(expression, `${at}.userValidationRules[${number}]`, user, { ...asked, context: userContext }),
      ),
    ),
  ];
}

function audienceChecks({ issuer }: KubernetesAuthenticator, at: string, claims: TokenClaims): TrustCheck[] {
  const check = audienceCheck(`${at}.issuer.audiences`, issuer.audiences, claims);
  const misses = issuer.audiences.length > 1 && issuer.audienceMatchPolicy !== "MatchAny";
  if (!misses) return [check];
  const hint = "with several audiences the API server wants audienceMatchPolicy: MatchAny, and does not start without";
  return [
    check,
    {
      ...check,
      at: `${at}.issuer.audienceMatchPolicy`,
      test: "is MatchAny",
      expected: ["MatchAny"],
      result: "not_met",
      hint,
    },
  ];
}

function ruleCheck(
  { claim, requiredValue, expression }: KubernetesAuthenticator["claimValidationRules"][number],
  at: string,
  asked: Asked,
): TrustCheck {
  if (expression !== undefined) return expressionCheck(expression, at, asked);
  const { claims } = asked;
  const name = claim ?? "";
  const value = own(claims, name);
  const met = value === requiredValue;
  const hint = met ? null : claimHint(value, requiredValue);
  return {
    at,
    test: `${name} is the required value`,
    expected: [requiredValue],
    seen: seenClaim(claims, name),
    result: resultOf(met),
    hint,
  };
}

function claimHint(value: unknown, required: string): string {
  if (value === undefined) return "the token has no such claim";
  if (typeof value !== "string") return "only texts are compared: use an expression";
  if (value.toLowerCase() === required.toLowerCase()) return `differs in case alone: write ${value}`;
  return /[*?]/.test(required)
    ? "there are no wildcards: use an expression with startsWith"
    : `this would fit: ${value}`;
}

function evaluated(expression: string, { context, effort }: Asked, dialect: CelDialect, at: string): CelValue {
  return evaluateCel(expression, context, dialect, at, effort);
}

function expressionCheck(expression: string, at: string, asked: Asked): TrustCheck {
  const { claims } = asked;
  const value = evaluated(expression, asked, claimsDialect, `${at}.expression`);
  const hint = expressionHint(value, () => `it is false for this token: ${namedClaims(expression, claims, "claims")}`);
  return { at, test: expression, expected: ["true"], seen: seenValue(value), result: conditionResult(value), hint };
}

function expressionHint(value: CelValue, otherwise: () => string): string | null {
  if (value.kind !== "value") return value.why;
  return value.value === true ? null : otherwise();
}

function seenValue(value: CelValue): string[] | null {
  return value.kind === "value" ? [shown(value.value)] : null;
}

interface MappedUser {
  readonly checks: TrustCheck[];
  readonly user: Record<string, unknown>;
  /** Some part of the user is not known here. */
  readonly unknown: boolean;
}

interface MappedPart {
  readonly name: string;
  readonly at: string;
  readonly test: string;
  readonly value: CelValue;
}

function mapUser({ claimMappings }: KubernetesAuthenticator, at: string, asked: Asked): MappedUser {
  const { username, groups, uid, extra } = claimMappings;
  const parts = [
    ...mappedPart("username", username, at, asked),
    ...mappedPart("groups", groups, at, asked),
    ...mappedPart("uid", uid, at, asked),
  ];
  const extras = extra.map(({ key, valueExpression }, index): MappedPart => {
    const place = `${at}.claimMappings.extra[${index}]`;
    return {
      name: key,
      at: place,
      test: valueExpression,
      value: evaluated(valueExpression, asked, claimsDialect, place),
    };
  });
  const user: Record<string, unknown> = { username: "", groups: [], uid: "", extra: {} };
  for (const { name, value } of parts)
    if (value.kind === "value") user[name] = name === "groups" ? [value.value].flat() : value.value;
  user.extra = Object.fromEntries(
    extras.map(({ name, value }) => [name, value.kind === "value" ? [value.value].flat() : []]),
  );
  return {
    checks: [
      ...(parts.some(({ name }) => name === "username") ? [] : [noUsername(at)]),
      ...parts.map((part) => mappingCheck(part.at, part.test, part.value, part.name)),
      ...extras.map((part) => mappingCheck(part.at, part.test, part.value, "extra")),
    ],
    user,
    unknown: [...parts, ...extras].some(({ value }) => value.kind === "unknown"),
  };
}

/** Nothing where the configuration maps nothing to it. */
function mappedPart(name: string, mapping: KubernetesMapping | undefined, at: string, asked: Asked): MappedPart[] {
  if (mapping === undefined || (mapping.claim === undefined && mapping.expression === undefined)) return [];
  const place = `${at}.claimMappings.${name}`;
  const test = mapping.expression ?? `claim ${mapping.claim}`;
  return [{ name, at: place, test, value: mappedValue(mapping, place, asked) }];
}

function noUsername(at: string): TrustCheck {
  const hint = "name a claim and a prefix, or an expression";
  return {
    at: `${at}.claimMappings.username`,
    test: "is there",
    expected: ["claim or expression"],
    seen: null,
    result: "not_met",
    hint,
  };
}

function mappedValue({ claim, prefix, expression }: KubernetesMapping, at: string, asked: Asked): CelValue {
  if (expression !== undefined) return evaluated(expression, asked, claimsDialect, `${at}.expression`);
  if (prefix === undefined)
    return { kind: "error", why: 'with a claim the API server wants a prefix too, "" for none' };
  const value = own(asked.claims, claim ?? "");
  if (typeof value === "string") return { kind: "value", value: prefix + value };
  if (Array.isArray(value)) return { kind: "value", value: value.map((each) => prefix + shown(each)) };
  return { kind: "error", why: value === undefined ? "the token has no such claim" : "the claim is no text" };
}

function mappingCheck(at: string, test: string, value: CelValue, name: string): TrustCheck {
  const problem = value.kind === "value" ? valueProblem(value.value, name) : value.why;
  const result = value.kind === "unknown" ? "unknown" : resultOf(problem === null);
  const expected = [
    name === "username" ? "a text, not empty" : name === "uid" ? "a text" : "a text or a list of texts",
  ];
  return { at, test, expected, seen: seenValue(value), result, hint: problem };
}

function valueProblem(value: unknown, name: string): string | null {
  if (typeof value === "string") return name === "username" && value === "" ? "the user name is empty" : null;
  const isList = Array.isArray(value) && value.every((each) => typeof each === "string");
  return isList && name !== "username" && name !== "uid" ? null : "is no text";
}

function userCheck(expression: string, at: string, { user, unknown }: MappedUser, asked: Asked): TrustCheck {
  const value = evaluated(expression, asked, userDialect, `${at}.expression`);
  const hint = unknown
    ? "the user is not wholly known here"
    : expressionHint(value, () => `it is false for ${shown(user)}`);
  const result = unknown ? "unknown" : conditionResult(value);
  return { at, test: expression, expected: ["true"], seen: seenValue(value), result, hint };
}
