/** The claims of a pasted token, and what every verifier asks of them first. Signatures are not looked at here. */
import type { TokenClaims, TrustCheck } from "../protocol/trust.ts";
import { resultOf } from "./logic.ts";
import { isTooDeep, PolicyError, tooDeep } from "./policy-error.ts";

/** Seconds since the epoch. */
export type Seconds = number;

/** @throws PolicyError for what is no JWT. */
export function claimsOfJwt(jwt: string): TokenClaims {
  const parts = jwt.trim().split(".");
  if (parts.length !== 3) throw new PolicyError("token", "is no JWT: it needs three parts joined by dots");
  try {
    const bytes = Uint8Array.from(atob((parts[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")), (character) =>
      character.charCodeAt(0),
    );
    const claims: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    if (typeof claims === "object" && claims !== null && !Array.isArray(claims)) return claims as TokenClaims;
  } catch {
    // Not quoted: a token is a secret while it lives.
  }
  throw new PolicyError("token", "is no JWT: its second part is no JSON object in base64url");
}

/** @throws PolicyError for claims that nothing could descend into. */
export function refuseDeepClaims(claims: TokenClaims): TokenClaims {
  const deep = Object.entries(claims).find(([, value]) => isTooDeep(value));
  if (deep !== undefined) throw new PolicyError("token", `its claim ${JSON.stringify(deep[0])} ${tooDeep}`);
  return claims;
}

/** A claim as text, where it is text. */
export function textClaim(claims: TokenClaims, name: string): string | null {
  const value = own(claims, name);
  return typeof value === "string" ? value : null;
}

export function own(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

/** `aud` as a list: RFC 7519 section 4.1.3 has both forms. */
export function audiences(claims: TokenClaims): string[] {
  const aud = own(claims, "aud");
  return (Array.isArray(aud) ? aud : [aud]).filter((each) => typeof each === "string");
}

/** A value as people read it: a claim, or what an expression made of claims. */
export function shown(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value, plainer) ?? "nothing");
}

/** What a CEL library computes with, JSON does not know. */
function plainer(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  return value instanceof Map ? Object.fromEntries(value) : value;
}

export function seenClaim(claims: TokenClaims, name: string): string[] | null {
  const value = own(claims, name);
  if (value === undefined || value === null) return null;
  return Array.isArray(value) ? value.map(shown) : [shown(value)];
}

/** `skewSeconds`: how far its clock may be off, as the cloud documents it. */
export function timeChecks(claims: TokenClaims, now: Seconds, skewSeconds: number): TrustCheck[] {
  const at = (name: string) => own(claims, name);
  const exp = at("exp");
  const nbf = at("nbf");
  const alive = typeof exp === "number" && now < exp + skewSeconds;
  const begun = nbf === undefined || (typeof nbf === "number" && now >= nbf - skewSeconds);
  return [
    {
      at: "token exp",
      test: `after now, with ${skewSeconds} s of grace`,
      expected: [`later than ${instant(now)}`],
      seen: typeof exp === "number" ? [instant(exp)] : null,
      result: resultOf(alive),
      hint: alive ? null : "it has expired: ask for a new one in the job (signalbox token request)",
    },
    {
      at: "token nbf",
      test: "not after now",
      expected: [`at most ${instant(now + skewSeconds)}`],
      seen: typeof nbf === "number" ? [instant(nbf)] : null,
      result: resultOf(begun),
      hint: begun ? null : "it is not valid yet: compare the clocks",
    },
  ];
}

/** Where a verifier refuses a token from the future: the issuer's clock, or its own, is wrong. */
export function issuedCheck(claims: TokenClaims, now: Seconds, skewSeconds: number): TrustCheck {
  const iat = own(claims, "iat");
  const met = iat === undefined || (typeof iat === "number" && iat <= now + skewSeconds);
  return {
    at: "token iat",
    test: "is not in the future",
    expected: [`at most ${instant(now + skewSeconds)}`],
    seen: typeof iat === "number" ? [instant(iat)] : null,
    result: resultOf(met),
    hint: met ? null : "it was issued in the future: compare the clocks",
  };
}

function instant(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.valueOf()) ? String(seconds) : date.toISOString();
}

/** The audience, where a cloud compares it to a list. */
export function audienceCheck(at: string, expected: readonly string[], claims: TokenClaims): TrustCheck {
  const seen = audiences(claims);
  const met = seen.some((aud) => expected.includes(aud));
  const [wanted] = expected;
  return {
    at,
    test: "one of these is the token's aud",
    expected: [...expected],
    seen,
    result: resultOf(met),
    hint: met || wanted === undefined ? null : audienceHint(wanted),
  };
}

export function audienceHint(wanted: string): string {
  return `ask for a token with that audience: signalbox token request --audience ${wanted}`;
}

/** The issuer, where a cloud compares it whole. */
export function issuerCheck(at: string, expected: string, claims: TokenClaims): TrustCheck {
  const seen = textClaim(claims, "iss");
  const met = seen === expected;
  return {
    at,
    test: "is the token's iss, character by character",
    expected: [expected],
    seen: seen === null ? null : [seen],
    result: resultOf(met),
    hint: met || seen === null ? null : issuerHint(expected, seen),
  };
}

/** Without the slashes at its end. */
export function withoutSlash(url: string): string {
  let end = url.length;
  while (url[end - 1] === "/") end--;
  return url.slice(0, end);
}

function issuerHint(expected: string, seen: string): string {
  if (withoutSlash(expected) === seen) return `write it without the slash at the end: ${seen}`;
  if (expected.toLowerCase() === seen.toLowerCase()) return `write it in the token's case: ${seen}`;
  return `this token is from ${seen}`;
}

/** The claims that an expression names, as the token has them. */
export function namedClaims(expression: string, claims: TokenClaims, variable: string): string {
  const names = [...expression.matchAll(new RegExp(`\\b${variable}\\.([A-Za-z_][A-Za-z0-9_]*)`, "g"))].map(
    ([, name = ""]) => name,
  );
  return [...new Set(names)].map((name) => `${name} is ${seenClaim(claims, name)?.join(", ") ?? "missing"}`).join("; ");
}
