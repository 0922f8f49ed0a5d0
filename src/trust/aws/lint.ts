/** What is unsafe, or never fits, in a role's trust policy; without a token. */
import type { TrustFinding } from "../../protocol/trust.ts";
import { found } from "../finding.ts";
import { defaultAudience, lintIssuerHost } from "../issuer-lint.ts";
import { neverSays, pinsProject, pinsRef } from "../pins.ts";
import { idSubjectForm } from "../subject.ts";
import { lintSubject } from "../subject-lint.ts";
import { providerOf } from "./explain.ts";
import { like } from "./like.ts";
import { type AwsOperator, parseOperator } from "./operators.ts";
import { type AwsCondition, type AwsPolicy, type AwsStatement, conditionsOf, parseAwsPolicy } from "./policy.ts";
import { assumeRole, tagSession } from "./request.ts";

/** IAM's default quota for the length of a role's trust policy, blanks apart; 4096 on request. */
const policyCharsMax = 2048;

/** @throws PolicyError for a policy that does not parse. */
export function lintAws(text: string): TrustFinding[] {
  const policy = parseAwsPolicy(text);
  return [
    ...lintSize(text),
    ...policy.Statement.flatMap((statement, index) => lintStatement(statement, index)),
    ...lintTagSession(policy),
  ];
}

function lintSize(text: string): TrustFinding[] {
  const characters = text.replace(/\s/g, "").length;
  if (characters <= policyCharsMax) return [];
  const message = `${characters} characters without blanks; IAM takes ${policyCharsMax} unless the quota was raised to 4096`;
  return [found("policy-too-long", "warning", "", message, "use fewer refs, a prefix, or several roles")];
}

function lintStatement(statement: AwsStatement, index: number): TrustFinding[] {
  if (statement.Effect !== "Allow") return [];
  const actions = statement.Action ?? [];
  const federates = actions.some((pattern) => like(assumeRole.toLowerCase(), pattern.toLowerCase()));
  const conditions = conditionsOf(statement, index);
  return [
    ...lintPrincipal(statement, index),
    ...(federates || statement.NotAction !== undefined ? lintDemands(statement, index, conditions) : []),
    ...conditions.flatMap((condition) => lintCondition(statement, condition)),
    ...lintBranchTag(conditions),
  ];
}

function lintPrincipal({ Principal, NotPrincipal, NotAction }: AwsStatement, index: number): TrustFinding[] {
  const at = `Statement[${index}]`;
  const findings: TrustFinding[] = [];
  const fix = "write Principal: { Federated: the provider's ARN } and the Action out";
  if (NotPrincipal !== undefined || NotAction !== undefined) {
    findings.push(
      found("negated-element", "error", at, "NotPrincipal and NotAction allow all that they do not name", fix),
    );
  }
  if (Principal === "*" || Principal?.AWS?.includes("*")) {
    findings.push(found("everybody", "error", `${at}.Principal`, "everybody is the principal", fix));
  }
  const federated = typeof Principal === "object" ? (Principal.Federated ?? []) : [];
  return [...findings, ...federated.flatMap((arn) => lintProvider(arn, `${at}.Principal.Federated`))];
}

function lintProvider(arn: string, at: string): TrustFinding[] {
  const provider = providerOf(arn);
  if (provider === null) {
    if (/^arn:aws[a-z-]*:iam::\d{12}:saml-provider\//.test(arn)) return [];
    const fix = "write arn:aws:iam::ACCOUNT:oidc-provider/HOST with the account's 12 digits";
    return [found("no-provider", "error", at, "is no ARN of an OIDC provider", fix)];
  }
  return lintIssuerHost(provider, at);
}

/** A subject and an audience must be demanded: an issuer alone is the whole organization. */
function lintDemands(statement: AwsStatement, index: number, conditions: readonly AwsCondition[]): TrustFinding[] {
  const demanded = (claim: string) => conditions.some((each) => claimOf(each.key) === claim && isDemand(each));
  const [provider = "HOST"] = providersOf(statement);
  const findings: TrustFinding[] = [];
  const at = `Statement[${index}]`;
  const fix = `add StringEquals on ${provider}:sub`;
  if (!demanded("sub")) findings.push(lintTagsAlone(conditions, at, fix));
  if (!demanded("aud")) {
    const message =
      "a token made for any audience that the provider lists is taken, also one that another party received";
    findings.push(found("missing-audience", "error", at, message, `add StringEquals on ${provider}:aud`));
  }
  return findings;
}

/** Which session tags a token has, its job chooses, within what identity profiles allow; its subject it does not. */
function lintTagsAlone(conditions: readonly AwsCondition[], at: string, fix: string): TrustFinding {
  const tags = conditions.filter((each) => /^aws:requesttag\//i.test(each.key) && isDemand(each));
  const pinned = (pins: (claim: string, text: string) => boolean) =>
    tags.some(({ operator, key, values }) => {
      const isLike = parseOperator(operator).base === "StringLike";
      const tag = key.slice("aws:RequestTag/".length).toLowerCase();
      return values.length > 0 && values.every((value) => !(isLike && /[*?]/.test(value)) && pins(tag, value));
    });
  if (pinned(pinsProject) && pinned(pinsRef)) {
    const message = "only session tags say which job it is: no token without them gets in, and sub is not compared";
    return found("subject-by-tags", "warning", at, message, fix);
  }
  const whose = "any job of any project of the issuer may assume the role";
  const message = tags.length === 0 ? whose : `${whose} that asks for these session tags: nothing pins the subject`;
  return found("missing-subject", "error", at, message, fix);
}

function providersOf(statement: AwsStatement): string[] {
  const federated = typeof statement.Principal === "object" ? (statement.Principal.Federated ?? []) : [];
  return federated.flatMap((arn) => providerOf(arn) ?? []);
}

/** Whether it can refuse a token that lacks the key, and one that has another value. */
function isDemand({ operator, values }: AwsCondition): boolean {
  const { set, ifExists, negated, base } = parseOperator(operator);
  const compares = /^String(Equals|Like)/.test(base) && !values.some((value) => variable.test(value));
  return compares && set !== "ForAllValues" && !ifExists && !negated;
}

/** A value that the request itself fills in; `${*}`, `${?}` and `${$}` are plain characters. */
const variable = /\$\{(?![*?$]\})/;

function lintCondition(statement: AwsStatement, condition: AwsCondition): TrustFinding[] {
  const { at, operator, key, values } = condition;
  const parsed = parseOperator(operator);
  const providers = providersOf(statement);
  const claim = claimOf(key);
  // ForAllValues on the keys of tags is how AWS limits which there may be.
  if (claim === null && !/^aws:requesttag\//i.test(key)) return [];
  const findings = [...lintOperator(parsed, at, operator), ...lintKey(key, claim, providers, at)];
  if (values.some((value) => variable.test(value))) {
    const message = "a policy variable stands for what the request itself says: it may be compared with itself";
    findings.push(found("policy-variable", "error", at, message, "write the value out"));
  }
  findings.push(...lintTagValues(parsed, condition));
  if (claim === "aud") findings.push(...lintAudiences(parsed, condition, providers));
  if (claim === "sub") findings.push(...lintSubjects(parsed, condition));
  return findings;
}

/** Tags whose claims never have such a value. */
function lintTagValues({ base, negated }: AwsOperator, { at, key, values }: AwsCondition): TrustFinding[] {
  if (base !== "StringEquals" || negated) return [];
  const tag = /^aws:RequestTag\/(.*)$/i.exec(key)?.[1]?.toLowerCase() ?? "";
  return values.flatMap((value) => {
    const form = neverSays(tag, value);
    if (form === null) return [];
    return [found("never-fits", "error", at, `${tag} is never ${value}`, `it is written ${form}`)];
  });
}

function lintAudiences(
  { base }: AwsOperator,
  { at, values }: AwsCondition,
  providers: readonly string[],
): TrustFinding[] {
  const findings: TrustFinding[] = [];
  if (values.some((value) => providers.some((provider) => value === `https://${provider}`))) {
    findings.push(defaultAudience(at, "write sts.amazonaws.com"));
  }
  if (base === "StringLike" && values.some((value) => /[*?]/.test(value))) {
    findings.push(found("wildcard-audience", "error", at, "tokens for other parties fit", "write the audience out"));
  }
  return findings;
}

function lintSubjects({ base }: AwsOperator, { at, values }: AwsCondition): TrustFinding[] {
  const wildcards = base === "StringLike" ? /[*?]/ : null;
  return values
    .filter((value) => !variable.test(value))
    .flatMap((text) => {
      const findings: TrustFinding[] = [];
      if (idSubjectForm.test(text)) {
        const message = "names the project alone: which refs may have such a token, an identity profile decides";
        findings.push(found("ref-by-profile", "warning", at, message, "name the ref too, by the usual subject"));
      }
      findings.push(...lintSubject({ at, text, wildcards, bytesMax: 255 }));
      if (base === "StringEquals" && /[*?]/.test(text)) {
        const message = "StringEquals takes * and ? literally: it never fits";
        findings.push(found("literal-wildcard", "error", at, message, "write whole subjects, or use StringLike"));
      }
      return findings;
    });
}

/** `sub` of `ci.example.com:sub`; null for keys of AWS itself. */
function claimOf(key: string): string | null {
  const [, host = "", claim = ""] = /^(.*):([^:]*)$/.exec(key) ?? [];
  return host.includes(".") ? claim.toLowerCase() : null;
}

function lintOperator(operator: AwsOperator, at: string, name: string): TrustFinding[] {
  const fix = "use StringEquals, or StringLike with a prefix";
  if (operator.negated) {
    return [
      found("negative-operator", "error", at, `${name} is met by all that it does not name, and by a missing key`, fix),
    ];
  }
  if (operator.ifExists || operator.set === "ForAllValues") {
    return [found("vacuous-condition", "error", at, `${name} is met where the token has no such value`, fix)];
  }
  if (operator.base === "StringEqualsIgnoreCase") {
    return [found("case-ignored", "warning", at, "refs and subjects differ by case: Main is not main", fix)];
  }
  return [];
}

function lintKey(key: string, claim: string | null, providers: readonly string[], at: string): TrustFinding[] {
  if (/^aws:requesttag\/pr$/i.test(key)) {
    const fix = "compare sub, or aws:RequestTag/pr_number";
    return [found("title-condition", "error", at, "whoever opens a pull request writes its title", fix)];
  }
  if (claim === null) return [];
  const host = key.slice(0, key.lastIndexOf(":"));
  if (!["aud", "sub", "amr", "oaud"].includes(claim)) {
    const fix = "compare sub, which names the ref, or session tags (aws:RequestTag/…)";
    const message = `AWS hands only aud, sub and amr of this issuer's tokens to policies: ${claim} never fits`;
    return [found("unknown-claim", "error", at, message, fix)];
  }
  if (providers.length > 0 && !providers.some((each) => each.toLowerCase() === host.toLowerCase())) {
    const message = `the key is of another provider than the statement's (${providers.join(", ")})`;
    return [found("issuer-mismatch", "error", at, message, `write ${providers[0]}:${claim}`)];
  }
  if (providers.length > 0 && !providers.includes(host)) {
    const message = "the key's case differs from the provider's";
    return [found("case-mismatch", "warning", at, message, `write ${providers[0]}:${claim}`)];
  }
  return [];
}

/** Other issuers set `branch` for pull requests too, to the branch that they aim at. */
function lintBranchTag(conditions: readonly AwsCondition[]): TrustFinding[] {
  const has = (tag: string) => conditions.find(({ key }) => key.toLowerCase() === `aws:requesttag/${tag}`);
  const branch = has("branch");
  if (branch === undefined || has("ref_type") !== undefined || has("ref") !== undefined) return [];
  const message = "branch alone does not say that it is a branch build";
  return [
    found("branch-without-ref-type", "error", branch.at, message, "also compare aws:RequestTag/ref_type with branch"),
  ];
}

function lintTagSession(policy: AwsPolicy): TrustFinding[] {
  const allows = policy.Statement.filter(({ Effect }) => Effect === "Allow");
  const at = allows
    .flatMap((statement) => conditionsOf(statement, policy.Statement.indexOf(statement)))
    .find(({ key }) => /^aws:(requesttag\/|tagkeys$)/i.test(key))?.at;
  const granted = allows.some(({ Action = [] }) =>
    Action.some((pattern) => like(tagSession.toLowerCase(), pattern.toLowerCase())),
  );
  if (at === undefined || granted) return [];
  const message =
    "it demands session tags, and no statement allows sts:TagSession: AWS refuses every token that has them";
  return [found("missing-tag-session", "error", at, message, "add sts:TagSession to the statement's Action")];
}
