/** Whether STS lets a token assume a role by this trust policy, and condition by condition why. */
import type { TokenClaims, TrustCheck, TrustExplanation, TrustResult } from "../../protocol/trust.ts";
import { type Effort, tooCostly } from "../effort.ts";
import { allOf, anyOf, not, type Part, resultOf, verdictOf } from "../logic.ts";
import { audienceHint, type Seconds, seenClaim, textClaim, timeChecks, withoutSlash } from "../token.ts";
import { like, readable } from "./like.ts";
import { evaluate, parseOperator, resolveVariables } from "./operators.ts";
import { type AwsCondition, type AwsPolicy, type AwsStatement, conditionsOf } from "./policy.ts";
import { type AwsRequest, assumeRole, awsRequest, type KeyValues, tagSession } from "./request.ts";

/** STS takes a token for five minutes beyond its exp. */
const skewSeconds = 300;
const tagValue = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

/** @param effort for all conditions together. */
export function explainAws(policy: AwsPolicy, claims: TokenClaims, now: Seconds, effort: Effort): TrustExplanation {
  const request = awsRequest(claims, now);
  const parts: Part[] = [tokenPart(claims, request, now)];
  const asked = { policy, request, effort };
  for (const action of request.actions) {
    const allows = policy.Statement.flatMap((statement, index) => statementPart(asked, statement, index, action));
    parts.push(...allows.filter(({ role }) => role === "deny"));
    parts.push(
      allowedPart(
        action,
        allows.filter(({ role }) => role === "any"),
      ),
    );
  }
  const verdict = verdictOf(parts);
  return { cloud: "aws", verdict, because: because(parts), parts, assumes: assumptions(claims, request) };
}

/** One action: some statement must allow it. Their checks follow one another. */
function allowedPart(action: string, statements: readonly Part[]): Part {
  const best = statements.find(({ result }) => result === "met");
  const checks = (best === undefined ? statements : [best]).flatMap(({ checks }) => checks);
  const result = anyOf(statements.map((statement) => statement.result));
  const name = best === undefined ? `some statement allows ${action}` : `${best.name} allows ${action}`;
  return { name, role: "all", result, checks: statements.length === 0 ? [notAllowed(action)] : checks };
}

function notAllowed(action: string): TrustCheck {
  const hint =
    action === tagSession
      ? "the token carries session tags: add sts:TagSession to the statement's Action, or ask for a token without tags"
      : `add a statement with Effect Allow and Action ${action} for this token's provider`;
  return { at: "Statement", test: "some statement allows", expected: [action], seen: null, result: "not_met", hint };
}

interface Asked {
  readonly policy: AwsPolicy;
  readonly request: AwsRequest;
  readonly effort: Effort;
}

function statementPart(asked: Asked, statement: AwsStatement, index: number, action: string): Part[] {
  if (!concerns(statement, action)) return [];
  const checks = [
    principalCheck(statement, index, asked.request),
    ...conditionsOf(statement, index).map((condition) => conditionCheck(asked, condition)),
  ];
  const isDeny = statement.Effect === "Deny";
  const name = `Statement[${index}]${statement.Sid === undefined ? "" : ` (${statement.Sid})`}`;
  return [
    {
      name: isDeny ? `${name} denies ${action}` : name,
      role: isDeny ? "deny" : "any",
      result: allOf(checks.map(({ result }) => result)),
      checks,
    },
  ];
}

/** Actions are compared without case, with wildcards. */
function concerns({ Action, NotAction }: AwsStatement, action: string): boolean {
  const names = (patterns: readonly string[]) =>
    patterns.some((pattern) => like(action.toLowerCase(), pattern.toLowerCase()));
  if (Action !== undefined) return names(Action);
  return NotAction !== undefined && !names(NotAction);
}

function principalCheck(
  { Principal, NotPrincipal, Effect }: AwsStatement,
  index: number,
  request: AwsRequest,
): TrustCheck {
  const at = `Statement[${index}].Principal`;
  const test = "names the token's provider";
  const seen = [`arn:aws:iam::ACCOUNT:oidc-provider/${request.provider}`];
  if (NotPrincipal !== undefined) {
    const hint = "NotPrincipal is not evaluated here: name the provider in Principal.Federated";
    return { at: `Statement[${index}].NotPrincipal`, test, expected: [], seen, result: "unknown", hint };
  }
  if (Principal === undefined || Principal === "*") {
    // A Deny that cannot be read here must not be passed over.
    const result =
      Effect === "Allow" ? (Principal === undefined ? "not_met" : "unknown") : Principal === "*" ? "met" : "unknown";
    return {
      at,
      test,
      expected: [Principal ?? "nothing"],
      seen,
      result,
      hint: "name the provider in Principal.Federated",
    };
  }
  const expected = Principal.Federated ?? [];
  const met = expected.some((arn) => providerOf(arn) === request.provider);
  const everybody = Principal.AWS?.includes("*") === true;
  const wildcard = expected.some((arn) => /[*?]/.test(arn));
  const result: TrustResult =
    met || (everybody && Effect === "Deny") ? "met" : everybody || wildcard ? "unknown" : "not_met";
  return { at: `${at}.Federated`, test, expected, seen, result, hint: met ? null : principalHint(expected, request) };
}

/** The issuer without `https://` of a provider's ARN, or null for another kind of principal. */
export function providerOf(arn: string): string | null {
  return /^arn:aws[a-z-]*:iam::\d{12}:oidc-provider\/(.+)$/.exec(arn)?.[1] ?? null;
}

function principalHint(expected: readonly string[], { provider }: AwsRequest): string {
  const providers = expected.map(providerOf);
  const lower = provider.toLowerCase();
  const near = providers.find((each) => each !== null && withoutSlash(each.toLowerCase()) === lower);
  if (near !== undefined)
    return `the provider must be written ${provider}, in this case and without a slash at the end`;
  if (expected.some((arn) => !arn.startsWith("arn:"))) return "Federated takes the provider's whole ARN";
  return `the ARN must end in oidc-provider/${provider}`;
}

function conditionCheck({ policy, request, effort }: Asked, condition: AwsCondition): TrustCheck {
  const { at, operator, key, values } = condition;
  const parsed = parseOperator(operator);
  const seen = request.valuesOf(key);
  const isLike = parsed.base === "StringLike" || parsed.base === "StringNotLike";
  const resolved = values.map((value) => {
    const plain = policy.Version === "2012-10-17" ? resolveVariables(value, request.valuesOf, effort) : value;
    return plain === null || isLike ? plain : readable(plain);
  });
  const result = evaluate(parsed, seen, resolved, effort);
  const seenValues = seen === "unknown" ? null : seen === null ? null : [...seen];
  const hint = result === "met" ? vacuous(seen, operator) : conditionHint(result, condition, seen, request, effort);
  return { at, test: `${operator} on ${key}`, expected: [...values], seen: seenValues, result, hint };
}

function vacuous(seen: KeyValues, operator: string): string | null {
  if (seen !== null || operator === "Null") return null;
  return "met because the request has no such key: this compares nothing";
}

function conditionHint(
  result: TrustResult,
  { operator, key, values }: AwsCondition,
  seen: KeyValues,
  request: AwsRequest,
  effort: Effort,
): string {
  if (effort.spent) return `${operator} ${tooCostly}`;
  if (result === "unknown") {
    return seen === "unknown"
      ? `${key} is known only when the request is made, so nobody can tell here`
      : `${operator} with these values is not evaluated here`;
  }
  if (seen === null) return missingHint(key, request);
  if (key.toLowerCase().endsWith(":aud"))
    return values[0] === undefined ? "names no audience" : audienceHint(values[0]);
  const [value = ""] = seen;
  const lower = value.toLowerCase();
  if (values.some((each) => each.toLowerCase() === lower)) return `differs in case alone: write ${value}`;
  if (operator === "StringEquals" && values.some((each) => like(value, each, effort))) {
    return "StringEquals takes * and ? literally: write the whole value, or use StringLike";
  }
  return `this would fit: ${value}`;
}

function missingHint(key: string, { provider }: AwsRequest): string {
  const at = key.lastIndexOf(":");
  const [host, claim] = [key.slice(0, at), key.slice(at + 1)];
  if (/^aws:(requesttag\/|tagkeys$)/i.test(key)) {
    return "the token has no such session tag: ask for it (signalbox token request --aws-tag), by a profile that allows it";
  }
  if (host.toLowerCase() === provider.toLowerCase()) {
    return `AWS hands only aud, sub and amr of this issuer's tokens to policies, not ${claim}: compare ${provider}:sub, or session tags`;
  }
  return `a token of ${provider} has keys that begin with ${provider}: alone`;
}

function tokenPart(claims: TokenClaims, request: AwsRequest, now: Seconds): Part {
  const checks = [
    issuerForm(claims),
    there(claims, "sub"),
    there(claims, "aud"),
    ...timeChecks(claims, now, skewSeconds),
  ];
  if (request.tags.size > 0) checks.push(tagsCheck(request));
  return { name: "the token", role: "all", result: allOf(checks.map(({ result }) => result)), checks };
}

function issuerForm(claims: TokenClaims): TrustCheck {
  const issuer = textClaim(claims, "iss") ?? "";
  const url = URL.parse(issuer);
  const fits =
    url?.protocol === "https:" && url.port === "" && url.search === "" && issuer.length <= 255 && !issuer.endsWith("/");
  return {
    at: "token iss",
    test: "is an https URL without port, query and slash at the end",
    expected: ["https://HOST or https://HOST/PATH, at most 255 characters"],
    seen: seenClaim(claims, "iss"),
    result: resultOf(fits),
    hint: fits ? null : "IAM takes no provider of this URL: serve the issuer under a public name on port 443",
  };
}

function there(claims: TokenClaims, name: "sub" | "aud"): TrustCheck {
  const seen = seenClaim(claims, name);
  const met = seen !== null && seen.length > 0 && seen.every((value) => value !== "");
  const hint = met ? null : `STS refuses tokens without ${name}`;
  return { at: `token ${name}`, test: "is there", expected: [], seen, result: resultOf(met), hint };
}

function tagsCheck({ tags }: AwsRequest): TrustCheck {
  const bad = [...tags].filter(
    ([tag, values]) => tag.length > 128 || values.length !== 1 || !tagValue.test(values[0] ?? ""),
  );
  const fits = bad.length === 0 && tags.size <= 50;
  return {
    at: "token https://aws.amazon.com/tags",
    test: "at most 50 tags, values in AWS's alphabet",
    expected: ["at most 256 letters, digits, blanks and _ . : / = + - @ each"],
    seen: [...tags].map(([tag, values]) => `${tag}=${values.join(",")}`),
    result: resultOf(fits),
    hint: fits ? null : `AWS takes no such tag: ${bad.map(([tag]) => tag).join(", ")}`,
  };
}

function assumptions(claims: TokenClaims, { provider }: AwsRequest): string[] {
  const [audience = "its audience"] = seenClaim(claims, "aud") ?? [];
  return [
    `an IAM OIDC provider for ${provider} exists in the role's account, and lists the audience ${audience}`,
    "the token's signature is good, and the caller asks for no longer session than the role allows",
  ];
}

function because(parts: readonly Part[]): string {
  const deny = parts.find(({ role, result }) => role === "deny" && result === "met");
  if (deny !== undefined) return `${deny.name}, and a Deny always wins`;
  const failing = parts.find(({ role, result }) => role === "all" && result === "not_met");
  if (failing !== undefined) return reason(failing);
  const open = parts.find(({ role, result }) => (role === "all" ? result : not(result)) === "unknown");
  return open === undefined ? `the policy allows ${assumeRole} for this token` : reason(open);
}

/** The check that decided a part, in words. */
function reason({ name, result, checks }: Part): string {
  const check = checks.find((each) => each.result === result);
  if (check === undefined) return name;
  return check.hint === null ? `${check.at} is not met` : `${check.at}: ${check.hint}`;
}
