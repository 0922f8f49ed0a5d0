/** What is unsafe, or never fits, in structured authentication; without a token. */
import type { TrustFinding } from "../../protocol/trust.ts";
import { celTree } from "../cel.ts";
import { lintExpression } from "../cel-lint.ts";
import { lintIssuer } from "../issuer-lint.ts";
import { lintSubject } from "../subject-lint.ts";
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
  if (!audiences.includes(url)) return [];
  const message = "every job's default token fits, also one that another party received";
  return [{ ...found("default-audience", `${at}.issuer.audiences`, message, "name the cluster"), severity: "warning" }];
}

/** Rules are joined by and, so that they are judged as one expression. */
function lintRules({ claimValidationRules: rules }: KubernetesAuthenticator, at: string): TrustFinding[] {
  const place = `${at}.claimValidationRules`;
  rules.forEach(({ expression }, index) => {
    if (expression !== undefined) celTree(expression, claimsDialect, `${place}[${index}].expression`);
  });
  const joined = rules.map(({ claim, requiredValue, expression }) =>
    expression === undefined
      ? `claims[${JSON.stringify(claim ?? "")}] == ${JSON.stringify(requiredValue)}`
      : `(${expression})`,
  );
  if (joined.length === 0) {
    const message = "every job of every project of the issuer is somebody in this cluster";
    return [found("missing-condition", place, message, "demand claims.prj_id and claims.ref")];
  }
  const expression = joined.join(" && ");
  const subjects = rules.filter(({ claim }) => claim === "sub");
  return [
    ...lintExpression(celTree(expression, claimsDialect, place), place, "claims"),
    ...subjects.flatMap(({ requiredValue: text }) => lintSubject({ at: place, text, wildcards: null, bytesMax: 255 })),
  ];
}

function lintMappings({ claimMappings }: KubernetesAuthenticator, at: string): TrustFinding[] {
  const { username, groups } = claimMappings;
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
