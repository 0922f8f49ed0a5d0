/** What is unsafe, or never fits, in a workload identity pool provider; without a token. */
import type { ASTNode } from "@marcbachmann/cel-js";
import type { TrustFinding } from "../../protocol/trust.ts";
import { celTree } from "../cel.ts";
import type { ClaimNames } from "../cel-demands.ts";
import { namedClaim } from "../cel-demands.ts";
import { lintExpression, unmappedAttributes } from "../cel-lint.ts";
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
  const findings: TrustFinding[] = [];
  const add = (rule: string, severity: TrustFinding["severity"], at: string, message: string, fix: string) =>
    findings.push({ rule, severity, at, message, fix });
  if (!Object.hasOwn(attributeMapping, "google.subject")) {
    add(
      "missing-subject",
      "error",
      "attributeMapping",
      "google.subject is not mapped, and Google demands it",
      "map it to assertion.sub127",
    );
  }
  for (const [target, expression] of Object.entries(attributeMapping)) {
    const at = `attributeMapping["${target}"]`;
    if (!/^(google\.(subject|groups)|attribute\.[a-z0-9_]{1,100})$/.test(target)) {
      add(
        "illegal-attribute",
        "error",
        at,
        "is no attribute that Google takes",
        "use attribute.NAME of a-z, 0-9 and _",
      );
    }
    if (expression.length > googleLimits.mappingChars) {
      add("expression-too-long", "error", at, `Google takes ${googleLimits.mappingChars} characters`, "shorten it");
    }
    if (target === "google.subject" && expression.trim() === "assertion.sub") {
      add(
        "subject-too-long",
        "error",
        at,
        "sub may have 255 bytes, and google.subject 127: jobs on long refs are refused",
        "map assertion.sub127",
      );
    } else if (target === "google.subject" && !/assertion(\.|\[['"])(sub127|sub|job_id|jti)\b/.test(expression)) {
      add(
        "shared-subject",
        "warning",
        at,
        "jobs of different refs get one subject, and logs cannot tell them apart",
        "map assertion.sub127",
      );
    }
    if (/\bassertion\.pr\b/.test(expression)) {
      add("title-condition", "error", at, "whoever opens a pull request writes its title", "map assertion.pr_number");
    }
  }
  return findings;
}

/** What attributes stand for. */
function namesOf({ attributeMapping }: GoogleProvider): ClaimNames {
  const trees = Object.entries(attributeMapping).map(
    ([target, expression]) => [target, mappingTree(target, expression)] as const,
  );
  return { variable: "assertion", mapped: new Map(trees) };
}

function mappingTree(target: string, expression: string): ASTNode {
  return celTree(expression, mappingDialect, `attributeMapping["${target}"]`);
}

function lintCondition({ attributeCondition, members }: GoogleProvider, names: ClaimNames): TrustFinding[] {
  const at = "attributeCondition";
  const isNarrow = members.length > 0 && members.every((member) => isNarrowMember(member, names));
  if (attributeCondition.trim() === "") {
    const message = "every job of every project of the issuer gets a principal in the pool";
    const fix = "demand assertion.prj_id and assertion.ref in the condition";
    return [{ rule: "missing-condition", severity: isNarrow ? "warning" : "error", at, message, fix }];
  }
  const tree = celTree(attributeCondition, googleDialect, at);
  const findings = unmappedAttributes(tree, names).map((name): TrustFinding => {
    const message = `nothing is mapped to ${name}: the condition fails for every token`;
    return { rule: "unmapped-attribute", severity: "error", at, message, fix: "map it, or name the claim" };
  });
  for (const each of lintExpression([tree], at, names)) {
    const isMadeUpFor = isNarrow && /^missing-(project|ref)$/.test(each.rule);
    findings.push(isMadeUpFor ? { ...each, severity: "warning" } : each);
  }
  if (attributeCondition.length > googleLimits.conditionChars) {
    const message = `Google takes ${googleLimits.conditionChars} characters`;
    findings.push({ rule: "expression-too-long", severity: "error", at, message, fix: "shorten it" });
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
  return [{ rule: "too-many-audiences", severity: "error", at: "oidc.allowedAudiences", message, fix: "list fewer" }];
}
