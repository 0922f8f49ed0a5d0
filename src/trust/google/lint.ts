/** What is unsafe, or never fits, in a workload identity pool provider; without a token. */
import type { ASTNode } from "@marcbachmann/cel-js";
import type { TrustFinding } from "../../protocol/trust.ts";
import { celTree } from "../cel.ts";
import type { ClaimNames } from "../cel-demands.ts";
import { namedClaim } from "../cel-demands.ts";
import { lintExpression, unmappedAttributes } from "../cel-lint.ts";
import { found } from "../finding.ts";
import { defaultAudience, lintIssuer } from "../issuer-lint.ts";
import { pinsProject, pinsRef } from "../pins.ts";
import { type GoogleProvider, googleDialect, googleLimits, mappingDialect, parseGoogleProvider } from "./policy.ts";

/** @throws PolicyError for a provider, or an expression in it, that does not parse. */
export function lintGoogle(text: string): TrustFinding[] {
  const provider = parseGoogleProvider(text);
  return [
    ...lintIssuer(provider.oidc.issuerUri, "oidc.issuerUri"),
    ...lintMapping(provider),
    ...lintCondition(provider, namesOf(provider)),
    ...lintMembers(provider),
    ...lintAudiences(provider),
  ];
}

function lintMapping({ attributeMapping }: GoogleProvider): TrustFinding[] {
  const findings = Object.entries(attributeMapping).flatMap(([target, expression]) => [
    ...lintAttribute(target, expression),
    ...(target === "google.subject" ? lintMappedSubject(expression) : []),
    ...lintMappedTitle(target, expression),
  ]);
  if (Object.hasOwn(attributeMapping, "google.subject")) return findings;
  const message = "google.subject is not mapped, and Google demands it";
  return [found("missing-subject", "error", "attributeMapping", message, "map it to assertion.sub127"), ...findings];
}

/** What Google itself refuses. */
function lintAttribute(target: string, expression: string): TrustFinding[] {
  const findings: TrustFinding[] = [];
  const at = placeOf(target);
  if (!/^(google\.(subject|groups)|attribute\.[a-z0-9_]{1,100})$/.test(target)) {
    const fix = "use attribute.NAME of a-z, 0-9 and _";
    findings.push(found("illegal-attribute", "error", at, "is no attribute that Google takes", fix));
  }
  if (expression.length > googleLimits.mappingChars) {
    const message = `Google takes ${googleLimits.mappingChars} characters`;
    findings.push(found("expression-too-long", "error", at, message, "shorten it"));
  }
  return findings;
}

function lintMappedSubject(expression: string): TrustFinding[] {
  const at = placeOf("google.subject");
  const fix = "map assertion.sub127";
  if (expression.trim() === "assertion.sub") {
    const message = "sub may have 255 bytes, and google.subject 127: jobs on long refs are refused";
    return [found("subject-too-long", "error", at, message, fix)];
  }
  if (/assertion(\.|\[['"])(sub127|sub|job_id|jti)\b/.test(expression)) return [];
  const message = "jobs of different refs get one subject, and logs cannot tell them apart";
  return [found("shared-subject", "warning", at, message, fix)];
}

function lintMappedTitle(target: string, expression: string): TrustFinding[] {
  if (!/\bassertion\.pr\b/.test(expression)) return [];
  const message = "whoever opens a pull request writes its title";
  return [found("title-condition", "error", placeOf(target), message, "map assertion.pr_number")];
}

function placeOf(target: string): string {
  return `attributeMapping["${target}"]`;
}

/** What attributes stand for. */
function namesOf({ attributeMapping }: GoogleProvider): ClaimNames {
  const trees = Object.entries(attributeMapping).map(
    ([target, expression]) => [target, mappingTree(target, expression)] as const,
  );
  return { variable: "assertion", mapped: new Map(trees) };
}

function mappingTree(target: string, expression: string): ASTNode {
  return celTree(expression, mappingDialect, placeOf(target));
}

function lintCondition({ attributeCondition, members }: GoogleProvider, names: ClaimNames): TrustFinding[] {
  const at = "attributeCondition";
  const isNarrow = members.length > 0 && members.every((member) => isNarrowMember(member, names));
  if (attributeCondition.trim() === "") {
    const message = "every job of every project of the issuer gets a principal in the pool";
    const fix = "demand assertion.prj_id and assertion.ref in the condition";
    return [found("missing-condition", isNarrow ? "warning" : "error", at, message, fix)];
  }
  const tree = celTree(attributeCondition, googleDialect, at);
  const findings = unmappedAttributes(tree, names).map((name) => {
    const message = `nothing is mapped to ${name}: the condition fails for every token`;
    return found("unmapped-attribute", "error", at, message, "map it, or name the claim");
  });
  for (const each of lintExpression([tree], at, names)) {
    const isMadeUpFor = isNarrow && /^missing-(project|ref)$/.test(each.rule);
    findings.push(isMadeUpFor ? { ...each, severity: "warning" } : each);
  }
  if (attributeCondition.length > googleLimits.conditionChars) {
    const message = `Google takes ${googleLimits.conditionChars} characters`;
    findings.push(found("expression-too-long", "error", at, message, "shorten it"));
  }
  return findings;
}

/** Whether the principals that it names are of one project and ref: a short subject is both. */
function isNarrowMember(member: string, { mapped, ...names }: ClaimNames): boolean {
  const [, name = "", value = ""] =
    /\/workloadIdentityPools\/[^/]+\/(subject|attribute\.[a-z0-9_]+)\/(.+)$/s.exec(member) ?? [];
  const tree = mapped.get(name === "subject" ? "google.subject" : name);
  const claim = tree === undefined ? null : namedClaim(tree, { ...names, mapped });
  return claim !== null && pinsProject(claim, value) && pinsRef(claim, value);
}

function lintMembers({ members }: GoogleProvider): TrustFinding[] {
  return members
    .filter((member) => member.endsWith("/*"))
    .map((member) => ({
      rule: "whole-pool",
      severity: "error" as const,
      at: "members",
      message: `${member} is everybody in the pool, whatever provider they came by`,
      fix: "grant to principalSet://…/attribute.ref/REF or to one subject",
    }));
}

function lintAudiences({ oidc }: GoogleProvider): TrustFinding[] {
  if (oidc.allowedAudiences.includes(oidc.issuerUri)) return [defaultAudience("oidc.allowedAudiences")];
  if (oidc.allowedAudiences.length <= googleLimits.audiences) return [];
  const message = `Google takes ${googleLimits.audiences} audiences`;
  return [found("too-many-audiences", "error", "oidc.allowedAudiences", message, "list fewer")];
}
