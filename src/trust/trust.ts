/**
 * Cloud trust: generate a policy, lint one, explain one. Pure, so that the command line and the API answer alike, and
 * offline.
 */
import type {
  GeneratedTrust,
  TokenClaims,
  TrustCloud,
  TrustExplanation,
  TrustLint,
  TrustOptions,
  TrustTarget,
} from "../protocol/trust.ts";
import { generateCommand, refusedArtifact } from "./artifacts.ts";
import { explainAws } from "./aws/explain.ts";
import { generateAws } from "./aws/generate.ts";
import { lintAws } from "./aws/lint.ts";
import { parseAwsPolicy } from "./aws/policy.ts";
import { explainAzure } from "./azure/explain.ts";
import { generateAzure } from "./azure/generate.ts";
import { lintAzure } from "./azure/lint.ts";
import { parseAzureCredentials } from "./azure/policy.ts";
import { clipped } from "./clipping.ts";
import { generateDatabricks, generateSnowflake } from "./data-platforms.ts";
import { Effort } from "./effort.ts";
import { explainGoogle } from "./google/explain.ts";
import { generateGoogle } from "./google/generate.ts";
import { lintGoogle } from "./google/lint.ts";
import { parseGoogleProvider } from "./google/policy.ts";
import { explainKubernetes } from "./kubernetes/explain.ts";
import { generateKubernetes } from "./kubernetes/generate.ts";
import { lintKubernetes } from "./kubernetes/lint.ts";
import { parseKubernetesConfiguration } from "./kubernetes/policy.ts";
import { PolicyError, tooDeep } from "./policy-error.ts";
import { scopeOf, type TrustedProject } from "./subject.ts";
import { refuseDeepClaims, type Seconds } from "./token.ts";
import { explainVault } from "./vault/explain.ts";
import { generateVault } from "./vault/generate.ts";
import { lintVault } from "./vault/lint.ts";
import { parseVaultRole } from "./vault/policy.ts";
import { generateVerifier } from "./verifiers.ts";

const generators = {
  aws: generateAws,
  gcp: generateGoogle,
  azure: generateAzure,
  vault: generateVault,
  kubernetes: generateKubernetes,
  snowflake: generateSnowflake,
  databricks: generateDatabricks,
  verifier: generateVerifier,
} as const satisfies Record<TrustTarget, unknown>;

const linters = {
  aws: lintAws,
  gcp: lintGoogle,
  azure: lintAzure,
  vault: lintVault,
  kubernetes: lintKubernetes,
} as const satisfies Record<TrustCloud, unknown>;

/** Whether the cloud takes a token of these claims at that time. Several tokens may share one effort. */
export type Explain = (claims: TokenClaims, now: Seconds, effort?: Effort) => TrustExplanation;

function explainer<Policy>(
  read: (text: string) => Policy,
  explain: (policy: Policy, claims: TokenClaims, now: Seconds, effort: Effort) => TrustExplanation,
): (text: string) => Explain {
  return (text) => {
    const policy = bounded(() => read(text));
    return (claims, now, effort = new Effort()) =>
      clipped(bounded(() => explain(policy, refuseDeepClaims(claims), now, effort)));
  };
}

const explainers = {
  aws: explainer(parseAwsPolicy, explainAws),
  gcp: explainer(parseGoogleProvider, explainGoogle),
  azure: explainer(parseAzureCredentials, explainAzure),
  vault: explainer(parseVaultRole, explainVault),
  kubernetes: explainer(parseKubernetesConfiguration, explainKubernetes),
} as const satisfies Record<TrustCloud, unknown>;

/**
 * The least that lets the project's jobs on these refs in, and nobody else.
 * @param subjects what the issuer says of refs whose subject is cut.
 * @throws PolicyError for a ref that no policy can name.
 */
export function generateTrust(
  cloud: TrustTarget,
  project: TrustedProject,
  options: TrustOptions,
  subjects?: Readonly<Record<string, string>>,
): GeneratedTrust {
  const scopes = options.refs.map((ref) => scopeOf(project, ref, subjects));
  const made = generators[cloud](project, scopes, options);
  const asked = { name: "generate.sh", title: "How this is asked for", language: "sh" as const };
  const text = generateCommand(cloud, project, options);
  return { ...made, artifacts: [{ ...asked, text }, ...made.artifacts, ...refusedArtifact(made, project, scopes)] };
}

/** @throws PolicyError for a policy that does not parse: where and why. */
export function lintTrust(cloud: TrustCloud, policy: string): TrustLint {
  return { cloud, findings: bounded(() => linters[cloud](policy)) };
}

/**
 * Reads a policy once, for as many tokens as are explained by it.
 * @throws PolicyError for a policy that does not parse: where and why. So does what it answers, for an expression.
 */
export function readTrust(cloud: TrustCloud, policy: string): Explain {
  return explainers[cloud](policy);
}

/**
 * Whether the cloud takes a token of these claims at that time, condition by condition.
 * @throws PolicyError for a policy that does not parse: where and why.
 */
export function explainTrust(cloud: TrustCloud, policy: string, claims: TokenClaims, now: Seconds): TrustExplanation {
  return readTrust(cloud, policy)(claims, now);
}

/** What is read is bounded in depth; where a library still takes the whole stack, the answer has no place, but words. */
function bounded<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) throw new PolicyError("", tooDeep);
    throw error;
  }
}
