/** Whether Google's token service exchanges a token by this provider: mapping first, then the condition. */
import type { TokenClaims, TrustCheck, TrustExplanation } from "../../protocol/trust.ts";
import { type CelContext, type CelValue, celContext, conditionResult, evaluateCel } from "../cel.ts";
import { Effort } from "../effort.ts";
import { allOf, type Part, resultOf, verdictOf } from "../logic.ts";
import {
  audienceCheck,
  audiences,
  issuedCheck,
  issuerCheck,
  namedClaims,
  own,
  type Seconds,
  shown,
  timeChecks,
} from "../token.ts";
import { type GoogleProvider, googleDialect, googleLimits, mappingDialect, parseGoogleProvider } from "./policy.ts";

const providerName = /^projects\/[^/]+\/locations\/global\/workloadIdentityPools\/[^/]+\/providers\/[^/]+$/;

/** @throws PolicyError for a provider, or an expression in it, that does not parse. */
export function explainGoogle(text: string, claims: TokenClaims, now: Seconds): TrustExplanation {
  const provider = parseGoogleProvider(text);
  const effort = new Effort();
  const mapped = mapClaims(provider, claims, effort);
  const parts = [
    part("the token", [
      enabledCheck(provider),
      issuerOf(provider, claims),
      audienceOf(provider, claims),
      lifeCheck(claims),
      ...timeChecks(claims, now, 0),
      issuedCheck(claims, now, 0),
    ]),
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

interface Mapped {
  readonly checks: TrustCheck[];
  readonly google: Record<string, unknown>;
  readonly attribute: Record<string, unknown>;
  /** Attributes that nobody can tell here. */
  readonly unknown: ReadonlySet<string>;
}

function mapClaims({ attributeMapping }: GoogleProvider, claims: TokenClaims, effort: Effort): Mapped {
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

function isText(value: unknown): value is string {
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

/** A member is one principal, or a set of them by attribute, group or pool. */
function memberParts({ members, name }: GoogleProvider, mapped: Mapped): Part[] {
  const pool = name?.replace(/\/providers\/[^/]+$/, "");
  return members.map((member) => {
    const check = memberCheck(member, pool, mapped);
    return part(`member ${member}`, [check], "any");
  });
}

/** @param pool the provider's own, where its name is given: another pool's principals are others. */
function memberCheck(member: string, pool: string | undefined, { google, attribute, unknown }: Mapped): TrustCheck {
  const at = "members";
  const base = { at, expected: [member] };
  const [, kind, memberPool, rest = ""] =
    /^(principal|principalSet):\/\/iam\.googleapis\.com\/(projects\/[^/]+\/locations\/global\/workloadIdentityPools\/[^/]+)\/(.+)$/s.exec(
      member,
    ) ?? [];
  if (memberPool !== undefined && pool !== undefined && memberPool !== pool) {
    const hint = "this is a principal of another pool, or names the project by its id: write the provider's own pool";
    return { ...base, test: `is of ${pool}`, seen: [memberPool], result: "not_met", hint };
  }
  if (kind === "principalSet" && rest === "*")
    return { ...base, test: "everybody in the pool", seen: ["*"], result: "met", hint: null };
  const [, name = "", wanted = ""] = /^(subject|group|attribute\.[a-z0-9_]+)\/(.+)$/s.exec(rest) ?? [];
  if (name === "" || (kind === "principal") !== (name === "subject")) {
    return {
      ...base,
      test: "is a principal of a workload identity pool",
      seen: null,
      result: "not_met",
      hint: "write principal://…/subject/S or principalSet://…/attribute.NAME/VALUE",
    };
  }
  const target = name === "subject" ? "google.subject" : name === "group" ? "google.groups" : name;
  const value = target.startsWith("google.")
    ? own(google, target.slice("google.".length))
    : own(attribute, target.slice("attribute.".length));
  const values = (Array.isArray(value) ? value : [value]).filter(isText);
  const met = values.includes(wanted);
  const result = unknown.has(target) ? "unknown" : resultOf(met);
  return {
    ...base,
    test: `${target} is ${wanted}`,
    seen: value === undefined ? null : values,
    result,
    hint: met ? null : value === undefined ? `${target} is not mapped` : "grant the role to the value that is seen",
  };
}
