/** Whether Google's token service exchanges a token by this provider: mapping first, then the condition. */
import type { TokenClaims, TrustCheck, TrustExplanation } from "../../protocol/trust.ts";
import { type CelValue, celContext, conditionResult, evaluateCel } from "../cel.ts";
import type { Effort } from "../effort.ts";
import { allOf, type Part, verdictOf } from "../logic.ts";
import { namedClaims, type Seconds, shown } from "../token.ts";
import { type Mapped, mapClaims } from "./mapping.ts";
import { memberCheck } from "./members.ts";
import { type GoogleProvider, googleDialect, googleLimits } from "./policy.ts";
import { providerChecks } from "./provider-checks.ts";

/**
 * @param effort for all expressions together.
 * @throws PolicyError for an expression that does not parse.
 */
export function explainGoogle(
  provider: GoogleProvider,
  claims: TokenClaims,
  now: Seconds,
  effort: Effort,
): TrustExplanation {
  const mapped = mapClaims(provider, claims, effort);
  const parts = [
    part("the token", providerChecks(provider, claims, now)),
    part("attributeMapping", mapped.checks),
    part("attributeCondition", conditionChecks(provider, claims, mapped, effort)),
    ...memberParts(provider, mapped),
  ];
  const verdict = verdictOf(parts);
  const decisive = parts
    .flatMap(({ checks }) => checks)
    .find(({ result }) => result === (verdict === "refused" ? "not_met" : "unknown"));
  return {
    cloud: "gcp",
    verdict,
    because:
      decisive === undefined
        ? "mapping and condition take the token"
        : `${decisive.at}: ${decisive.hint ?? "is not met"}`,
    parts,
    assumes: [
      "the token's signature is good, and Google can fetch the issuer's keys",
      ...(provider.members.length === 0
        ? ["some role is granted to the principal that comes out (members were not given)"]
        : []),
    ],
  };
}

function part(name: string, checks: TrustCheck[], role: Part["role"] = "all"): Part {
  return { name, role, result: allOf(checks.map(({ result }) => result)), checks };
}

/** One of the members is enough. */
function memberParts({ members, name }: GoogleProvider, mapped: Mapped): Part[] {
  const pool = name?.replace(/\/providers\/[^/]+$/, "");
  return members.map((member) => {
    const check = memberCheck(member, pool, mapped);
    return part(`member ${member}`, [check], "any");
  });
}

function conditionChecks(
  { attributeCondition }: GoogleProvider,
  claims: TokenClaims,
  mapped: Mapped,
  effort: Effort,
): TrustCheck[] {
  if (attributeCondition.trim() === "") return [];
  const at = "attributeCondition";
  const { google, attribute, unknown } = mapped;
  const tooLong = attributeCondition.length > googleLimits.conditionChars;
  const value: CelValue = tooLong
    ? { kind: "error", why: "is too long" }
    : evaluateCel(attributeCondition, celContext({ assertion: claims, google, attribute }), googleDialect, at, effort);
  const opaque = [...unknown].find((target) => attributeCondition.includes(target));
  const result = tooLong ? "not_met" : opaque === undefined ? conditionResult(value) : "unknown";
  return [
    {
      at,
      test: attributeCondition,
      expected: ["true"],
      seen: value.kind === "value" ? [shown(value.value)] : null,
      result,
      hint: conditionHint(),
    },
  ];

  function conditionHint(): string | null {
    if (tooLong) return `is longer than ${googleLimits.conditionChars} characters`;
    if (opaque !== undefined) return `${opaque} is not known here`;
    if (value.kind !== "value") return value.why;
    return result === "met"
      ? null
      : `it is false for this token: ${namedClaims(attributeCondition, claims, "assertion")}`;
  }
}
