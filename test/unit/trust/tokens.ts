/** A token of a job on main, as every table begins from, and how a case is written. */
import type { TokenClaims, TrustCloud, TrustVerdict } from "../../../src/protocol/trust.ts";
import { explainTrust } from "../../../src/trust/trust.ts";

export const issuer = "https://ci.example.com";
export const orgId = "01980000-0000-7000-8000-000000000002";
export const projectId = "01980000-0000-7000-8000-000000000001";
export const sub = `org:acme:project:${projectId}:repo:web:ref_type:branch:ref:refs/heads/main`;
export const now = 1_800_000_000;

export const claims: TokenClaims = {
  iss: issuer,
  aud: "the-cloud",
  sub,
  exp: now + 900,
  iat: now,
  nbf: now - 5,
  jti: "j",
  branch: "main",
  pr: "",
  ref: "refs/heads/main",
  tag: "",
  repo: "web",
  prj_id: projectId,
  org_id: orgId,
  org: "acme",
  prj: "web",
  ref_type: "branch",
  ref_protected: "true",
  sha: "0".repeat(40),
  fork: "false",
  pr_number: "",
  pr_branch: "",
  actor: "",
  job_id: "j",
  sub127: `acme:${projectId}:web:br:heads/main`,
};

/** What the case says, the document it follows from, the policy, what differs in the token, and the verdict. */
export type Case<Policy> = readonly [
  says: string,
  document: string,
  policy: Policy,
  token: TokenClaims,
  verdict: TrustVerdict,
];

export function verdictOf(cloud: TrustCloud, policy: unknown, token: TokenClaims): TrustVerdict {
  const text = typeof policy === "string" ? policy : JSON.stringify(policy);
  const whole = Object.fromEntries(Object.entries({ ...claims, ...token }).filter(([, value]) => value !== undefined));
  return explainTrust(cloud, text, whole, now).verdict;
}
