/** What Google asks of a token before any expression: the provider itself, issuer, audience, life. */
import type { TokenClaims, TrustCheck } from "../../protocol/trust.ts";
import { resultOf } from "../logic.ts";
import { audienceCheck, audiences, issuedCheck, issuerCheck, own, type Seconds, timeChecks } from "../token.ts";
import { type GoogleProvider, googleLimits } from "./policy.ts";

const providerName = /^projects\/[^/]+\/locations\/global\/workloadIdentityPools\/[^/]+\/providers\/[^/]+$/;

export function providerChecks(provider: GoogleProvider, claims: TokenClaims, now: Seconds): TrustCheck[] {
  return [
    enabledCheck(provider),
    issuerOf(provider, claims),
    audienceOf(provider, claims),
    lifeCheck(claims),
    ...timeChecks(claims, now, 0),
    issuedCheck(claims, now, 0),
  ];
}

function enabledCheck({ disabled, state }: GoogleProvider): TrustCheck {
  const met = !disabled && (state === undefined || state === "ACTIVE");
  const hint = met ? null : "the provider is disabled or deleted";
  return {
    at: "disabled",
    test: "the provider is in use",
    expected: ["ACTIVE"],
    seen: [state ?? String(disabled)],
    result: resultOf(met),
    hint,
  };
}

function issuerOf({ oidc }: GoogleProvider, claims: TokenClaims): TrustCheck {
  return issuerCheck("oidc.issuerUri", oidc.issuerUri, claims);
}

/** Without allowed audiences it is the provider's own name, with or without `https:`. */
function audienceOf({ name, oidc }: GoogleProvider, claims: TokenClaims): TrustCheck {
  if (oidc.allowedAudiences.length > 0) return audienceCheck("oidc.allowedAudiences", oidc.allowedAudiences, claims);
  if (name !== undefined) {
    const own = [`https://iam.googleapis.com/${name}`, `//iam.googleapis.com/${name}`];
    return audienceCheck("oidc.allowedAudiences (none: the provider's name)", own, claims);
  }
  const seen = audiences(claims);
  const like = seen.some((aud) => providerName.test(aud.replace(/^(https:)?\/\/iam\.googleapis\.com\//, "")));
  return {
    at: "oidc.allowedAudiences",
    test: "none is listed: the aud must be the provider's own name",
    expected: [
      "https://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
    ],
    seen,
    result: like ? "unknown" : "not_met",
    hint: like
      ? "which provider this is, the document does not say (name)"
      : "list the audience, or ask for a token with the provider's name as audience",
  };
}

function lifeCheck(claims: TokenClaims): TrustCheck {
  const [exp, iat] = [own(claims, "exp"), own(claims, "iat")];
  const life = typeof exp === "number" && typeof iat === "number" ? exp - iat : null;
  const met = life !== null && life > 0 && life < googleLimits.tokenLifeSeconds;
  const hint = met ? null : "Google takes tokens that live less than 48 hours, and have iat and exp";
  return {
    at: "token exp - iat",
    test: "is less than 48 hours",
    expected: ["172800 s"],
    seen: life === null ? null : [`${life} s`],
    result: resultOf(met),
    hint,
  };
}
