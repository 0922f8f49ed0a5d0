/**
 * Verifying a token of our own. RS256 and our own key ids alone: a header may say nothing else (RFC 8725 sections
 * 3.1 and 3.5), so `none`, HS256 with the public key, jku, jwk, x5u, crit and b64 are refused by name.
 */
import { decodeProtectedHeader, errors, importJWK, type JWTPayload, jwtVerify } from "jose";
import type { EpochSeconds } from "../lib/time.ts";
import type { SigningKey } from "./signing.ts";

export type TokenRefusal = "malformed" | "unknown_key" | "bad_signature" | "wrong_issuer" | "not_yet_valid" | "expired";

const headerMembers = ["alg", "kid", "typ"];

/** The claims of a token that this issuer signed and that is valid at `now`, or why it is none. */
export async function verifyToken(
  keys: readonly SigningKey[],
  token: string,
  expected: { readonly issuer: string; readonly now: EpochSeconds },
): Promise<JWTPayload | TokenRefusal> {
  const header = headerOf(token);
  if (header === null) return "malformed";
  const key = keys.find((candidate) => candidate.kid === header.kid);
  if (key === undefined) return "unknown_key";
  try {
    const { payload } = await jwtVerify(token, await importJWK(key.publicJwk, "RS256"), {
      algorithms: ["RS256"],
      issuer: expected.issuer,
      typ: "JWT",
      requiredClaims: ["exp", "nbf", "jti", "sub", "job_id"],
      currentDate: new Date(expected.now * 1000),
      clockTolerance: 0,
    });
    return payload;
  } catch (error) {
    return refusalOf(error);
  }
}

/** The protected header, where it has exactly the members that ours have. */
function headerOf(token: string): { kid: string } | null {
  // The library drops blanks; a relying party may not.
  if (!/^[\w.-]+$/.test(token)) return null;
  try {
    const header = decodeProtectedHeader(token);
    const isOurs = Object.keys(header).sort().join(" ") === headerMembers.join(" ");
    return isOurs && header.alg === "RS256" && header.typ === "JWT" && header.kid ? { kid: header.kid } : null;
  } catch {
    return null;
  }
}

function refusalOf(error: unknown): TokenRefusal {
  if (error instanceof errors.JWTExpired) return "expired";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "bad_signature";
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "iss") return "wrong_issuer";
    if (error.claim === "nbf") return "not_yet_valid";
  }
  return "malformed";
}
