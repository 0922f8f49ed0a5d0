/** Whether a role of Vault's or OpenBao's JWT auth method lets a token log in (vault-plugin-auth-jwt). */
import type { TokenClaims, TrustCheck, TrustExplanation, TrustResult } from "../../protocol/trust.ts";
import { type Effort, tooCostly } from "../effort.ts";
import { allOf, type Part, resultOf, verdictOf } from "../logic.ts";
import {
  audienceCheck,
  audiences,
  issuedCheck,
  issuerCheck,
  own,
  type Seconds,
  shown,
  textClaim,
  timeChecks,
} from "../token.ts";
import { fitsPieces } from "../wildcards.ts";
import { type parseVaultRole, tokenAlgorithm, type VaultConfig, type VaultRole } from "./policy.ts";

/** Where the role sets none. */
const defaultSkewSeconds = 60;

/** @param effort for all bound claims together. */
export function explainVault(
  { role, config }: ReturnType<typeof parseVaultRole>,
  claims: TokenClaims,
  now: Seconds,
  effort: Effort,
): TrustExplanation {
  const parts = [
    part("the role", roleChecks(role)),
    part("the token", [
      ...configChecks(config, claims),
      ...timeChecks(claims, now, skewOf(role)),
      issuedCheck(claims, now, skewOf(role)),
    ]),
    part("bounds", [boundAudiences(role, claims), ...boundSubject(role, claims), ...boundClaims(role, claims, effort)]),
    part("the alias", [userClaim(role, claims), ...groupsClaim(role, claims)]),
    ...(role.token_bound_cidrs.length === 0 ? [] : [part("addresses", [cidrCheck(role)])]),
  ];
  const verdict = verdictOf(parts);
  const wanted = verdict === "refused" ? "not_met" : "unknown";
  const decisive = parts.flatMap(({ checks }) => checks).find(({ result }) => result === wanted);
  return {
    cloud: "vault",
    verdict,
    because: decisive === undefined ? "every bound fits the token" : `${decisive.at}: ${decisive.hint ?? "is not met"}`,
    parts,
    assumes: [
      "the token's signature is good by the mount's keys",
      ...(config === undefined ? ["the mount trusts the token's issuer (its config was not given)"] : []),
    ],
  };
}

function part(name: string, checks: TrustCheck[]): Part {
  return { name, role: "all", result: allOf(checks.map(({ result }) => result)), checks };
}

/** 0 is the default, and a negative one is none. */
function skewOf({ clock_skew_leeway: leeway }: VaultRole): number {
  if (!leeway) return defaultSkewSeconds;
  return Math.max(0, leeway);
}

function roleChecks(role: VaultRole): TrustCheck[] {
  const isJwt = role.role_type === "jwt";
  const hint = isJwt ? null : "a role of type oidc is for people at a browser: write role_type=jwt";
  return [
    { at: "role_type", test: "is jwt", expected: ["jwt"], seen: [role.role_type], result: resultOf(isJwt), hint },
    ...boundTypeCheck(role),
  ];
}

/** Vault does not take a role of another type, so that there is none to log in by. */
function boundTypeCheck({ bound_claims_type: type }: VaultRole): TrustCheck[] {
  if (!type || type === "string" || type === "glob") return [];
  const hint = "Vault refuses such a role: write string or glob";
  const at = "bound_claims_type";
  return [{ at, test: "is string or glob", expected: ["string", "glob"], seen: [type], result: "not_met", hint }];
}

function configChecks(config: VaultConfig | undefined, claims: TokenClaims): TrustCheck[] {
  const checks: TrustCheck[] = [];
  if (config?.bound_issuer) checks.push(issuerCheck("config.bound_issuer", config.bound_issuer, claims));
  if (config?.oidc_discovery_url)
    checks.push(issuerCheck("config.oidc_discovery_url", config.oidc_discovery_url, claims));
  if (config !== undefined && config.jwt_supported_algs.length > 0) checks.push(algorithmCheck(config));
  return checks;
}

function algorithmCheck({ jwt_supported_algs: expected }: VaultConfig): TrustCheck {
  const met = expected.includes(tokenAlgorithm);
  const hint = met ? null : `add ${tokenAlgorithm}: it is what Signalbox signs with`;
  const at = "config.jwt_supported_algs";
  return { at, test: "has the token's algorithm", expected, seen: [tokenAlgorithm], result: resultOf(met), hint };
}

function boundAudiences(role: VaultRole, claims: TokenClaims): TrustCheck {
  if (role.bound_audiences.length > 0) return audienceCheck("bound_audiences", role.bound_audiences, claims);
  const seen = audiences(claims);
  const met = seen.length === 0;
  const hint = met
    ? null
    : `the role binds no audience, and Vault then refuses every token that has one: bound_audiences=${seen[0]}`;
  return {
    at: "bound_audiences",
    test: "must be there, as the token has an aud",
    expected: [],
    seen,
    result: resultOf(met),
    hint,
  };
}

function boundSubject({ bound_subject: expected }: VaultRole, claims: TokenClaims): TrustCheck[] {
  if (!expected) return [];
  const seen = textClaim(claims, "sub");
  const met = seen === expected;
  const hint = met ? null : `bound_subject is compared whole${seen === null ? "" : `: write ${seen}`}`;
  return [
    {
      at: "bound_subject",
      test: "is the token's sub",
      expected: [expected],
      seen: seen === null ? null : [seen],
      result: resultOf(met),
      hint,
    },
  ];
}

function boundClaims(role: VaultRole, claims: TokenClaims, effort: Effort): TrustCheck[] {
  const isGlob = role.bound_claims_type === "glob";
  return Object.entries(role.bound_claims ?? {}).map(([claim, bound]) =>
    boundClaim(claim, bound, isGlob, claims, effort),
  );
}

function boundClaim(claim: string, bound: unknown, isGlob: boolean, claims: TokenClaims, effort: Effort): TrustCheck {
  const at = `bound_claims["${claim}"]`;
  const actual = claimAt(claims, claim);
  const expected = listed(bound);
  const seen = actual === undefined ? null : listed(actual);
  const test = isGlob ? "one of these globs fits the claim" : "one of these is the claim";
  const base = { at, test, expected: (expected ?? [bound]).map(shown), seen: seen?.map(shown) ?? null };
  if (actual === undefined || actual === null)
    return { ...base, result: "not_met", hint: "the token has no such claim" };
  if (seen === null || expected === null)
    return { ...base, result: "not_met", hint: "is no text, number, yes or no, or list of them" };
  if (isGlob && !expected.every((each) => typeof each === "string")) {
    return { ...base, result: "not_met", hint: "globs must be texts" };
  }
  const fits = (one: unknown, other: unknown) =>
    effort.spend() && (isGlob ? typeof other === "string" && globFits(String(one), other, effort) : one === other);
  const met = expected.some((one) => seen.some((other) => fits(one, other)));
  if (effort.spent) return { ...base, result: "unknown", hint: tooCostly };
  return { ...base, result: resultOf(met), hint: met ? null : boundHint(expected, seen, isGlob) };
}

function boundHint(expected: readonly unknown[], seen: readonly unknown[], isGlob: boolean): string {
  if (!isGlob && expected.some((each) => typeof each === "string" && each.includes("*"))) {
    return "* is taken literally: set bound_claims_type=glob";
  }
  if (expected.some((one) => typeof one !== typeof seen[0] && String(one) === String(seen[0]))) {
    return `the claim is ${typeof seen[0] === "string" ? "the text" : "no text but"} ${JSON.stringify(seen[0])}: write it so`;
  }
  if (expected.some((one) => String(one).toLowerCase() === String(seen[0]).toLowerCase()))
    return "differs in case alone";
  return `this would fit: ${seen.map(shown).join(", ")}`;
}

/** A name that begins with `/` is a JSON pointer (RFC 6901). */
function claimAt(claims: TokenClaims, claim: string): unknown {
  if (!claim.startsWith("/")) return own(claims, claim);
  let value: unknown = claims;
  for (const part of claim.slice(1).split("/")) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof value !== "object" || value === null) return undefined;
    value = own(value as Record<string, unknown>, name);
  }
  return value;
}

function listed(value: unknown): unknown[] | null {
  if (Array.isArray(value)) return value;
  return ["string", "boolean", "number"].includes(typeof value) ? [value] : null;
}

/** ryanuber/go-glob: `*` is any run, also over slashes; nothing else is special. An empty glob fits the empty text. */
function globFits(pattern: string, text: string, effort: Effort): boolean {
  if (!effort.spend(pattern.length)) return false;
  return fitsPieces(
    text,
    pattern.split(/\*+/).map((piece) => Array.from(piece)),
    effort,
  );
}

function userClaim(role: VaultRole, claims: TokenClaims): TrustCheck {
  const { user_claim: name } = role;
  const value = role.user_claim_json_pointer ? claimAt(claims, name) : own(claims, name);
  const result: TrustResult = value === "" ? "unknown" : resultOf(typeof value === "string");
  const seen = value === undefined ? null : [shown(value)];
  return {
    at: "user_claim",
    test: "is a text in the token",
    expected: [name],
    seen,
    result,
    hint: result === "met" ? null : userHint(value),
  };
}

function userHint(value: unknown): string {
  if (value === "")
    return "the claim is empty: everybody would be one alias, and some versions refuse it; take prj_id or sub";
  return value === undefined
    ? "the token has no such claim: take prj_id or sub"
    : "the claim is no text: take prj_id or sub";
}

function groupsClaim({ groups_claim: name }: VaultRole, claims: TokenClaims): TrustCheck[] {
  if (!name) return [];
  const value = claimAt(claims, name);
  const met = typeof value === "string" || (Array.isArray(value) && value.every((each) => typeof each === "string"));
  const hint = met ? null : "the token has no such claim, or it is no list of texts";
  return [
    {
      at: "groups_claim",
      test: "is a list of texts in the token",
      expected: [name],
      seen: value === undefined ? null : [shown(value)],
      result: resultOf(met),
      hint,
    },
  ];
}

function cidrCheck({ token_bound_cidrs: expected }: VaultRole): TrustCheck {
  const hint = "the agent's address is known only when it logs in";
  return {
    at: "token_bound_cidrs",
    test: "the agent's address lies in one",
    expected,
    seen: null,
    result: "unknown",
    hint,
  };
}
