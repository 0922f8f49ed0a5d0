/** What a cloud refuses, or nobody can tell, is never answered with accepted: faults that were once found. */
import { describe, expect, it } from "vitest";
import type { TokenClaims, TrustVerdict } from "../../../src/protocol/trust.ts";
import { claims, issuer, now, projectId, sub, verdictOf } from "./tokens.ts";

type Row = readonly [says: string, policy: unknown, token: TokenClaims, verdict: TrustVerdict];

const host = "ci.example.com";
const allow = (Condition: unknown) => ({
  Effect: "Allow",
  Principal: { Federated: `arn:aws:iam::111122223333:oidc-provider/${host}` },
  Action: "sts:AssumeRoleWithWebIdentity",
  Condition,
});
const aws = (...Statement: unknown[]) => ({ Version: "2012-10-17", Statement });
const onSub = (operator: string, value: unknown) => aws(allow({ [operator]: { [`${host}:sub`]: value } }));
const main = allow({ StringEquals: { [`${host}:sub`]: sub } });

describe("AWS", () => {
  it.each<Row>([
    ["a token without an audience", aws(main), { aud: undefined }, "refused"],
    ["a negation of an empty list", onSub("StringNotEquals", []), {}, "unknown"],
    ["a number compared with a text", onSub("NumericNotEquals", "5"), {}, "unknown"],
    ["a number compared with an empty text", onSub("NumericEquals", "0"), { sub: " " }, "unknown"],
    [
      "a Deny of every provider",
      aws(main, { Effect: "Deny", Principal: { Federated: "*" }, Action: "*" }),
      {},
      "unknown",
    ],
    ["a Deny without a principal", aws(main, { Effect: "Deny", Action: "*" }), {}, "unknown"],
  ])("%s", (_says, policy, token, verdict) => expect(verdictOf("aws", policy, token)).toBe(verdict));
});

const pools = "projects/123/locations/global/workloadIdentityPools";
const google = (over: Record<string, unknown>) => ({
  name: `${pools}/pool/providers/web`,
  attributeMapping: { "google.subject": "assertion.sub127", "attribute.ref": "assertion.ref" },
  oidc: { issuerUri: issuer, allowedAudiences: ["the-cloud"] },
  ...over,
});
const member = (pool: string) => `principalSet://iam.googleapis.com/${pool}/attribute.ref/refs/heads/main`;
const attributes = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`attribute.a${at}`, "assertion.ref"]));

describe("Google Cloud", () => {
  it.each<Row>([
    ["a member of this pool", google({ members: [member(`${pools}/pool`)] }), {}, "accepted"],
    ["a member of another pool", google({ members: [member(`${pools}/other`)] }), {}, "refused"],
    ["a token from the future", google({}), { iat: now + 60 }, "refused"],
    [
      "51 mappings",
      google({ attributeMapping: { "google.subject": "assertion.sub127", ...attributes } }),
      {},
      "refused",
    ],
  ])("%s", (_says, policy, token, verdict) => expect(verdictOf("gcp", policy, token)).toBe(verdict));
});

const vault = (over: Record<string, unknown>) => ({
  user_claim: "prj_id",
  bound_audiences: ["the-cloud"],
  bound_claims: { prj_id: projectId },
  ...over,
});

describe("Vault", () => {
  it.each<Row>([
    ["a bound_claims_type that Vault does not know", vault({ bound_claims_type: "globs" }), {}, "refused"],
    ["a token from the future, beyond the leeway", vault({}), { iat: now + 61, nbf: now }, "refused"],
    ["a token from the future, within the leeway", vault({}), { iat: now + 59, nbf: now }, "accepted"],
  ])("%s", (_says, policy, token, verdict) => expect(verdictOf("vault", policy, token)).toBe(verdict));
});

const authenticator = {
  issuer: { url: issuer, audiences: ["the-cloud"] },
  claimMappings: { username: { claim: "sub", prefix: "x:" } },
};
const kubernetes = (...jwt: unknown[]) => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AuthenticationConfiguration",
  jwt,
});

describe("Kubernetes, whose API server does not start with", () => {
  it.each<readonly [string, unknown[], RegExp]>([
    ["a field of another name", [{ ...authenticator, claimValidationRule: [] }], /claimValidationRule/],
    [
      "a claim beside an expression",
      [{ ...authenticator, claimValidationRules: [{ claim: "ref", requiredValue: "x", expression: "true" }] }],
      /one of them/,
    ],
    [
      "a prefix beside an expression",
      [{ ...authenticator, claimMappings: { username: { expression: "claims.sub", prefix: "x" } } }],
      /one of them/,
    ],
  ])("%s", (_says, jwt, why) => expect(() => verdictOf("kubernetes", kubernetes(...jwt), claims)).toThrow(why));

  it("an issuer twice", () =>
    expect(verdictOf("kubernetes", kubernetes(authenticator, authenticator), {})).toBe("refused"));
});
