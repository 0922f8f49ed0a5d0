/** Whether Microsoft Entra takes a token for one of these federated credentials: all three texts must be equal. */
import type { TokenClaims, TrustCheck, TrustExplanation } from "../../protocol/trust.ts";
import { allOf, type Part, resultOf, verdictOf } from "../logic.ts";
import { idSubjectForm, subjectForm } from "../subject.ts";
import { audienceCheck, audiences, issuerCheck, type Seconds, seenClaim, textClaim, timeChecks } from "../token.ts";
import { type AzureCredential, azureLimits, placeOfCredential } from "./policy.ts";

export function explainAzure(
  credentials: readonly AzureCredential[],
  claims: TokenClaims,
  now: Seconds,
): TrustExplanation {
  const token = part("the token", [...timeChecks(claims, now, 0), oneAudience(claims), ...lengthChecks(claims)], "all");
  const parts = [token, ...credentials.map((credential, index) => credentialPart(credential, index, claims))];
  const verdict = verdictOf(parts);
  return {
    cloud: "azure",
    verdict,
    because: because(parts, verdict),
    parts,
    assumes: [
      "these are all credentials of one application or managed identity, and they have had minutes to spread",
      "the token's signature is good, and the issuer publishes at most 100 keys",
    ],
  };
}

function part(name: string, checks: TrustCheck[], role: Part["role"]): Part {
  return { name, role, result: allOf(checks.map(({ result }) => result)), checks };
}

function credentialPart(credential: AzureCredential, index: number, claims: TokenClaims): Part {
  const name = placeOfCredential(credential, index);
  const { issuer, audiences: expected } = credential;
  const checks = [
    issuerCheck(`${name} issuer`, issuer, claims),
    flexible(credential) ? flexibleCheck(name, claims) : subjectCheck(name, credential.subject ?? "", claims),
    expected.length === 1
      ? audienceCheck(`${name} audiences`, expected, claims)
      : {
          ...audienceCheck(`${name} audiences`, expected, claims),
          result: "not_met" as const,
          hint: "Entra takes exactly one audience",
        },
  ];
  return part(name, checks, "any");
}

function flexible({ claimsMatchingExpression }: AzureCredential): boolean {
  return claimsMatchingExpression !== undefined && claimsMatchingExpression !== null;
}

function flexibleCheck(name: string, claims: TokenClaims): TrustCheck {
  return {
    at: `${name} claimsMatchingExpression`,
    test: "a flexible credential (preview)",
    expected: [],
    seen: seenClaim(claims, "sub"),
    result: "unknown",
    hint: "flexible credentials are a preview for GitHub, GitLab and Terraform Cloud alone: use the id subject form, which is matched whole",
  };
}

function subjectCheck(name: string, expected: string, claims: TokenClaims): TrustCheck {
  const seen = textClaim(claims, "sub");
  const met = seen !== null && seen === expected && expected.length <= azureLimits.chars;
  return {
    at: `${name} subject`,
    test: "is the token's sub, character by character",
    expected: [expected],
    seen: seen === null ? null : [seen],
    result: resultOf(met),
    hint: met || seen === null ? null : subjectHint(expected, seen),
  };
}

function subjectHint(expected: string, seen: string): string {
  if (expected.length > azureLimits.chars) return `Entra takes ${azureLimits.chars} characters`;
  if (expected.toLowerCase() === seen.toLowerCase()) return `differs in case alone: write ${seen}`;
  if (/[*?]/.test(expected)) return `Entra knows no wildcards: write ${seen}`;
  if (idSubjectForm.test(expected) && subjectForm.test(seen)) {
    return "the credential wants the id form: ask for it (signalbox token request --subject id), by a profile that allows it";
  }
  return `this would fit: ${seen}`;
}

function oneAudience(claims: TokenClaims): TrustCheck {
  const seen = audiences(claims);
  const hint = seen.length === 1 ? null : "Entra takes tokens of exactly one audience";
  return { at: "token aud", test: "is one text", expected: [], seen, result: resultOf(seen.length === 1), hint };
}

function lengthChecks(claims: TokenClaims): TrustCheck[] {
  return ["iss", "sub", "aud"].flatMap((name) => {
    const value = textClaim(claims, name);
    if (value === null || value.length <= azureLimits.chars) return [];
    const expected = [`at most ${azureLimits.chars} characters`];
    const hint = "use a shorter subject form";
    return [
      {
        at: `token ${name}`,
        test: "its length",
        expected,
        seen: [`${value.length} characters`],
        result: "not_met" as const,
        hint,
      },
    ];
  });
}

function because(parts: readonly Part[], verdict: TrustExplanation["verdict"]): string {
  const met = parts.find(({ role, result }) => role === "any" && result === "met");
  if (verdict === "accepted" && met !== undefined) return `${met.name} is the token's issuer, subject and audience`;
  const wanted = verdict === "unknown" ? "unknown" : "not_met";
  const nearest = closest(parts.filter(({ result }) => result === wanted));
  const check = nearest?.checks.find(({ result }) => result === wanted);
  return check === undefined ? "no credential fits" : `${check.at}: ${check.hint ?? "is not met"}`;
}

/** The part that lacks least: what its owner meant. */
function closest(parts: readonly Part[]): Part | undefined {
  const lacking = ({ role, checks }: Part) =>
    role === "all" ? 0 : checks.filter(({ result }) => result !== "met").length;
  return parts.toSorted((one, other) => lacking(one) - lacking(other))[0];
}
