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
import { explainAzure } from "./azure/explain.ts";
import { generateAzure } from "./azure/generate.ts";
import { lintAzure } from "./azure/lint.ts";
import { clipped } from "./clipping.ts";
import { generateDatabricks, generateSnowflake } from "./data-platforms.ts";
import { explainGoogle } from "./google/explain.ts";
import { generateGoogle } from "./google/generate.ts";
import { lintGoogle } from "./google/lint.ts";
import { explainKubernetes } from "./kubernetes/explain.ts";
import { generateKubernetes } from "./kubernetes/generate.ts";
import { lintKubernetes } from "./kubernetes/lint.ts";
import { PolicyError, tooDeep } from "./policy-error.ts";
import { scopeOf, type TrustedProject } from "./subject.ts";
import { refuseDeepClaims, type Seconds } from "./token.ts";
import { explainVault } from "./vault/explain.ts";
import { generateVault } from "./vault/generate.ts";
import { lintVault } from "./vault/lint.ts";
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

const explainers = {
  aws: explainAws,
  gcp: explainGoogle,
  azure: explainAzure,
  vault: explainVault,
  kubernetes: explainKubernetes,
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
 * Whether the cloud takes a token of these claims at that time, condition by condition.
 * @throws PolicyError for a policy that does not parse: where and why.
 */
export function explainTrust(cloud: TrustCloud, policy: string, claims: TokenClaims, now: Seconds): TrustExplanation {
  return clipped(bounded(() => explainers[cloud](policy, refuseDeepClaims(claims), now)));
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
