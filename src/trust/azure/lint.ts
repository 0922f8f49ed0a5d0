/** What is unsafe, or never fits, in federated identity credentials; without a token. */
import type { TrustFinding } from "../../protocol/trust.ts";
import { defaultAudience, lintIssuer } from "../issuer-lint.ts";
import { lintSubject } from "../subject-lint.ts";
import {
  type AzureCredential,
  azureAudience,
  azureLimits,
  parseAzureCredentials,
  placeOfCredential,
} from "./policy.ts";

const cloudAudiences = [azureAudience, "api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina"];

/** @throws PolicyError for credentials that do not parse. */
export function lintAzure(text: string): TrustFinding[] {
  const credentials = parseAzureCredentials(text);
  return [...lintCount(credentials), ...lintTwins(credentials), ...credentials.flatMap(lintCredential)];
}

function lintCount(credentials: readonly AzureCredential[]): TrustFinding[] {
  if (credentials.length <= azureLimits.credentials) return [];
  const message = `${credentials.length} credentials, and an identity takes ${azureLimits.credentials}`;
  const fix = "use one credential with the id subject form, and let the identity profile name the refs";
  return [{ rule: "too-many-credentials", severity: "error", at: "", message, fix }];
}

function lintTwins(credentials: readonly AzureCredential[]): TrustFinding[] {
  const seen = new Set<string>();
  return credentials.flatMap((credential, index) => {
    const pair = JSON.stringify([credential.issuer, credential.subject]);
    if (!seen.has(pair)) {
      seen.add(pair);
      return [];
    }
    const message = "the same issuer and subject stand twice, and Entra refuses the second";
    return [
      {
        rule: "twin",
        severity: "error" as const,
        at: placeOfCredential(credential, index),
        message,
        fix: "delete one",
      },
    ];
  });
}

function lintCredential(credential: AzureCredential, index: number): TrustFinding[] {
  const at = placeOfCredential(credential, index);
  const { issuer, subject, audiences } = credential;
  const findings = lintIssuer(issuer, `${at} issuer`);
  const add = (rule: string, severity: TrustFinding["severity"], where: string, message: string, fix: string) =>
    findings.push({ rule, severity, at: `${at} ${where}`, message, fix });
  if (credential.claimsMatchingExpression !== undefined && credential.claimsMatchingExpression !== null) {
    const message = "flexible credentials are a preview, and for GitHub, GitLab and Terraform Cloud alone";
    add("flexible", "error", "claimsMatchingExpression", message, "use the id subject form, which is matched whole");
  } else if (!subject) {
    add(
      "missing-subject",
      "error",
      "subject",
      "there is none",
      "write the subject as signalbox trust generate prints it",
    );
  } else if (/[*?]/.test(subject)) {
    add("literal-wildcard", "error", "subject", "Entra knows no wildcards: it never fits", "use the id subject form");
  } else {
    findings.push(...lintSubject({ at: `${at} subject`, text: subject, wildcards: null, bytesMax: 255 }));
  }
  if (audiences.length !== 1)
    add("audience-count", "error", "audiences", "Entra takes exactly one", `write ${azureAudience}`);
  const [audience = ""] = audiences;
  if (audience === issuer) {
    findings.push(defaultAudience(`${at} audiences`, `write ${azureAudience}`));
  } else if (audience !== "" && !cloudAudiences.includes(audience)) {
    add("unusual-audience", "warning", "audiences", "Azure's tools send another", `write ${azureAudience}`);
  }
  return findings;
}
