/** Policies and tokens that are written to cost: each is answered soon, and none is taken for accepted. */
import { describe, expect, it } from "vitest";
import { TrustCloud } from "../../../src/protocol/trust.ts";
import { explainTrust, lintTrust } from "../../../src/trust/trust.ts";
import { generatedFor } from "./guides.ts";
import { claims, now, verdictOf } from "./tokens.ts";

const google = (attributeCondition: string) => ({
  attributeMapping: { "google.subject": "assertion.sub127" },
  attributeCondition,
  oidc: { issuerUri: claims.iss, allowedAudiences: ["the-cloud"] },
});
const kubernetes = (expression: string) => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AuthenticationConfiguration",
  jwt: [
    {
      issuer: { url: claims.iss, audiences: ["the-cloud"] },
      claimValidationRules: [{ expression }],
      claimMappings: { username: { claim: "sub", prefix: "x:" } },
    },
  ],
});
const aws = (operator: string, key: string, values: unknown) => ({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Principal: { Federated: "arn:aws:iam::111122223333:oidc-provider/ci.example.com" },
      Action: "sts:AssumeRoleWithWebIdentity",
      Condition: { [operator]: { [key]: values } },
    },
  ],
});

it.each(["(a+)+$", "a*a*a*b", "^a?a?a?a?a?a?aaaaaa$", "(?=a)a", "(a|a)*b", "^a*|b*|c*$", "a{1,1000}"])(
  "the pattern %s is not tried",
  (pattern) => {
    expect(verdictOf("gcp", google(`assertion.branch.matches('${pattern}')`), { branch: "a".repeat(2000) })).toBe(
      "unknown",
    );
  },
);

it("no pattern is tried on a text that was put together, or is long", () => {
  expect(verdictOf("gcp", google("(assertion.branch + assertion.branch).matches('^a*b$')"), {})).toBe("unknown");
  expect(verdictOf("gcp", google("assertion.branch.matches('^a*b$')"), { branch: "a".repeat(2049) })).toBe("unknown");
});

it("nothing under the name __proto__ is passed over", () => {
  const named = (policy: unknown, before: string, member: string) =>
    JSON.stringify(policy).replace(before, `${before}"__proto__":${member},`);
  const condition = aws("StringEquals", "ci.example.com:aud", "the-cloud");
  expect(() => verdictOf("aws", named(condition, '"Condition":{', '{"a":"b"}'), {})).toThrow(/__proto__/);
  expect(() => verdictOf("aws", named(condition, '"StringEquals":{', '"b"'), {})).toThrow(/__proto__/);
  const role = { user_claim: "prj_id", bound_audiences: ["the-cloud"], bound_claims: { ref: "refs/heads/main" } };
  expect(() => verdictOf("vault", named(role, '"bound_claims":{', '"b"'), {})).toThrow(/__proto__/);
});

it("an expression that is too large is not evaluated, and a comprehension in another neither", () => {
  expect(verdictOf("kubernetes", kubernetes(Array(2000).fill("claims.ref == 'x'").join(" || ")), {})).toBe("unknown");
  const list = `[${Array(400).fill("1").join(",")}]`;
  expect(verdictOf("kubernetes", kubernetes(`${list}.all(a, ${list}.all(b, a == b))`), {})).toBe("unknown");
});

it("comparisons without number are not made", () => {
  const many = (count: number) => Array.from({ length: count }, (_, at) => `v${at}`);
  const key = "ci.example.com:amr";
  expect(verdictOf("aws", aws("ForAnyValue:StringEquals", key, many(4000)), { amr: many(2000).reverse() })).toBe(
    "unknown",
  );
  expect(verdictOf("aws", aws("StringEquals", "a.".repeat(20_000), "x"), {})).toBe("unknown");
});

describe.each(TrustCloud.options)("a text of brackets, for %s", (cloud) => {
  it.each([
    ["[".repeat(60_000), 65],
    [`${"[".repeat(65)}${"]".repeat(65)}`, 65],
    ['{"a":'.repeat(12_000), 321],
    ["- ".repeat(30_000), 129],
    ["? ".repeat(30_000), 129],
    [Array.from({ length: 300 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"), 66],
  ])("is refused where it is too deep", (text, column) => {
    const isJson = /^[[{]/.test(text);
    if (cloud === "aws" && !isJson) return;
    const why = new RegExp(`^line \\d+, column ${column}: is nested too deeply`);
    expect(() => explainTrust(cloud, text, claims, now)).toThrow(why);
    expect(() => lintTrust(cloud, text)).toThrow(why);
  });
});

it.each(["(", "!", "-", "[", "{1:", "a.b(", "a[", "true ? "])(
  "an expression of %s alone is refused in words",
  (part) => {
    const deep = part.repeat(Math.floor(20_000 / part.length));
    expect(() => lintTrust("gcp", JSON.stringify(google(deep)))).toThrow(/^attributeCondition.*: /);
    expect(() => lintTrust("kubernetes", JSON.stringify(kubernetes(deep)))).toThrow(/expression.*: /);
  },
);

it("a token that is nested deeply is refused in words", () => {
  const nested = JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`);
  for (const cloud of TrustCloud.options) {
    const { policy } = generatedFor(cloud, { refs: ["refs/heads/main"] });
    expect(() => verdictOf(cloud, policy, { nested })).toThrow(/^token: its claim "nested" is nested too deeply/);
  }
});

it("claims called __proto__ and constructor are claims, and nothing else", () => {
  const token = JSON.parse('{"__proto__": {"ref": "x"}}');
  expect(verdictOf("gcp", google("assertion.ref == 'refs/heads/main'"), token)).toBe("accepted");
  expect(verdictOf("gcp", google("has(assertion.toString) || has(assertion.constructor)"), {})).toBe("refused");
  const role = { user_claim: "constructor", bound_audiences: ["the-cloud"], bound_claims: { ref: "refs/heads/main" } };
  expect(verdictOf("vault", role, {})).toBe("refused");
});
