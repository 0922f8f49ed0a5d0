/** What is unsafe, or never fits, in structured authentication; without a token. */
import type { TrustFinding } from "../../protocol/trust.ts";
import { celTree } from "../cel.ts";
import { lintExpression } from "../cel-lint.ts";
import { defaultAudience, lintIssuer } from "../issuer-lint.ts";
import { claimsDialect, type KubernetesAuthenticator, parseKubernetesConfiguration, userDialect } from "./policy.ts";

const authenticatorsMax = 64;

/** @throws PolicyError for a configuration, or an expression in it, that does not parse. */
export function lintKubernetes(text: string): TrustFinding[] {
  const authenticators = parseKubernetesConfiguration(text);
  const findings = authenticators.flatMap((each, index) => lintAuthenticator(each, `jwt[${index}]`));
  const urls = authenticators.map(({ issuer }) => issuer.url);
  const twin = urls.findIndex((url, index) => urls.indexOf(url) !== index);
  if (twin >= 0) {
    const message = "the issuer stands twice, and the API server does not start";
    findings.push({
      rule: "twin",
      severity: "error",
      at: `jwt[${twin}].issuer.url`,
      message,
      fix: "join the rules by || in one",
    });
  }
  if (authenticators.length > authenticatorsMax) {
    const message = `the API server takes ${authenticatorsMax} authenticators`;
    findings.push({ rule: "too-many-authenticators", severity: "error", at: "jwt", message, fix: "use fewer" });
  }
  return findings;
}

function lintAuthenticator(config: KubernetesAuthenticator, at: string): TrustFinding[] {
  return [
    ...lintIssuer(config.issuer.url, `${at}.issuer.url`),
    ...lintAudiences(config, at),
    ...lintRules(config, at),
    ...lintMappings(config, at),
    ...lintUserRules(config, at),
  ];
}

function lintAudiences({ issuer }: KubernetesAuthenticator, at: string): TrustFinding[] {
  const { audiences, url, audienceMatchPolicy } = issuer;
  if (audiences.length === 0) {
    return [
      found(
        "missing-audience",
        `${at}.issuer.audiences`,
        "the API server wants at least one audience",
        "name the cluster",
      ),
    ];
  }
  if (audiences.length > 1 && audienceMatchPolicy !== "MatchAny") {
    return [
      found(
        "audience-policy",
        `${at}.issuer.audienceMatchPolicy`,
        "several audiences need MatchAny",
        "set it, or name one",
      ),
    ];
  }
  return audiences.includes(url) ? [defaultAudience(`${at}.issuer.audiences`, "name the cluster")] : [];
}

/** All rules must be met, so that they are judged together. */
function lintRules({ claimValidationRules: rules }: KubernetesAuthenticator, at: string): TrustFinding[] {
  const place = `${at}.claimValidationRules`;
  if (rules.length === 0) {
    const message = "every job of every project of the issuer is somebody in this cluster";
    return [found("missing-condition", place, message, "demand claims.prj_id and claims.ref")];
  }
  const trees = rules.map(({ claim, requiredValue, expression }, index) =>
    expression === undefined
      ? celTree(`claims[${JSON.stringify(claim ?? "")}] == ${JSON.stringify(requiredValue)}`, claimsDialect, place)
      : celTree(expression, claimsDialect, `${place}[${index}].expression`),
  );
  return lintExpression(trees, place, { variable: "claims", mapped: new Map() });
}

function lintMappings({ claimMappings }: KubernetesAuthenticator, at: string): TrustFinding[] {
  const { username, groups, uid, extra } = claimMappings;
  if (uid?.expression !== undefined) celTree(uid.expression, claimsDialect, `${at}.claimMappings.uid.expression`);
  extra.forEach(({ valueExpression }, index) => {
    celTree(valueExpression, claimsDialect, `${at}.claimMappings.extra[${index}].valueExpression`);
  });
  const findings: TrustFinding[] = [];
  for (const [name, mapping] of Object.entries({ username, groups })) {
    const place = `${at}.claimMappings.${name}`;
    if (mapping === undefined) continue;
    if (mapping.expression !== undefined) celTree(mapping.expression, claimsDialect, `${place}.expression`);
    if (mapping.claim !== undefined && mapping.prefix === undefined) {
      findings.push(
        found("missing-prefix", place, "with a claim the API server wants a prefix too", "set prefix: 'signalbox:'"),
      );
    }
    const from = `${mapping.claim ?? ""} ${mapping.expression ?? ""}`;
    if (/^pr |\bclaims\.pr\b/.test(from)) {
      findings.push(found("title-condition", place, "whoever opens a pull request writes its title", "map sub"));
    }
    if (mapping.prefix === "" || (mapping.expression !== undefined && /^\s*claims\b/.test(mapping.expression))) {
      const message = "without a prefix of its own a token may take another user's or group's name";
      findings.push({
        ...found("missing-prefix", place, message, "let the name begin with signalbox:"),
        severity: "warning",
      });
    }
  }
  return findings;
}

function lintUserRules({ userValidationRules: rules }: KubernetesAuthenticator, at: string): TrustFinding[] {
  rules.forEach(({ expression }, index) => {
    celTree(expression, userDialect, `${at}.userValidationRules[${index}].expression`);
  });
  return [];
}

function found(rule: string, at: string, message: string, fix: string): TrustFinding {
  return { rule, severity: "error", at, message, fix };
}
