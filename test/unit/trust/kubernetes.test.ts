/** Kubernetes, case by case: what its documents say of structured authentication and a token. */
import { expect, it } from "vitest";
import { type Case, issuer, now, projectId, verdictOf } from "./tokens.ts";

const structured = "Kubernetes, Authenticating: Using Authentication Configuration";
const rules = "Kubernetes, Authenticating: claimValidationRules";
const mappings = "Kubernetes, Authenticating: claimMappings";
const userRules = "Kubernetes, Authenticating: userValidationRules";
const reference = "apiserver.config.k8s.io/v1, AuthenticationConfiguration";
const cel = "Common Expression Language specification";
const optional = "Kubernetes, CEL in Kubernetes: optional field selection";

const prefixed = { username: { claim: "sub", prefix: "signalbox:" } };
const jwt = (over: Record<string, unknown> = {}) => ({
  issuer: { url: issuer, audiences: ["the-cloud"] },
  claimMappings: prefixed,
  ...over,
});
const config = (...authenticators: unknown[]) => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AuthenticationConfiguration",
  jwt: authenticators,
});
const where = (expression: string) => config(jwt({ claimValidationRules: [{ expression }] }));
const required = (claim: string, requiredValue: string) =>
  config(jwt({ claimValidationRules: [{ claim, requiredValue }] }));
const named = (claimMappings: Record<string, unknown>) => config(jwt({ claimMappings }));
const user = (expression: string, claimMappings: Record<string, unknown> = prefixed) =>
  config(jwt({ claimMappings, userValidationRules: [{ expression }] }));
const heard = (audiences: string[], more = {}) => config(jwt({ issuer: { url: issuer, audiences, ...more } }));
const grouped = (groups: Record<string, unknown>) => named({ ...prefixed, groups });

const cases: Case<unknown>[] = [
  ["without rules every token of the issuer is taken", structured, config(jwt()), {}, "accepted"],
  [
    "another issuer",
    structured,
    config(jwt({ issuer: { url: "https://x.example.com", audiences: ["the-cloud"] } })),
    {},
    "refused",
  ],
  [
    "an issuer with a slash at the end",
    reference,
    config(jwt({ issuer: { url: `${issuer}/`, audiences: ["the-cloud"] } })),
    {},
    "refused",
  ],
  [
    "an issuer of another case",
    reference,
    config(jwt({ issuer: { url: "https://CI.example.com", audiences: ["the-cloud"] } })),
    {},
    "refused",
  ],
  [
    "the second authenticator is the token's",
    structured,
    config(jwt({ issuer: { url: "https://x.example.com", audiences: ["y"] } }), jwt()),
    {},
    "accepted",
  ],
  ["another audience", reference, heard(["x"]), {}, "refused"],
  [
    "several audiences with MatchAny",
    reference,
    heard(["x", "the-cloud"], { audienceMatchPolicy: "MatchAny" }),
    {},
    "accepted",
  ],
  ["several audiences without it", reference, heard(["x", "the-cloud"]), {}, "refused"],
  ["no audience at all", reference, heard([]), {}, "refused"],
  ["one audience with MatchAny", reference, heard(["the-cloud"], { audienceMatchPolicy: "MatchAny" }), {}, "accepted"],
  ["a token of several audiences", reference, config(jwt()), { aud: ["x", "the-cloud"] }, "accepted"],
  ["a required value", rules, required("ref", "refs/heads/main"), {}, "accepted"],
  ["a required value that differs", rules, required("ref", "refs/heads/x"), {}, "refused"],
  ["a required value of another case", rules, required("ref", "refs/heads/Main"), {}, "refused"],
  ["a required value has no wildcards", rules, required("ref", "refs/heads/*"), {}, "refused"],
  ["a required claim that is missing", rules, required("nowhere", "x"), {}, "refused"],
  ["a required value is a text", rules, required("exp", String(now + 900)), {}, "refused"],
  ["an empty required value fits an empty claim", rules, required("tag", ""), {}, "accepted"],
  [
    "rules are joined by and",
    rules,
    config(
      jwt({
        claimValidationRules: [
          { claim: "ref", requiredValue: "refs/heads/main" },
          { claim: "fork", requiredValue: "true" },
        ],
      }),
    ),
    {},
    "refused",
  ],
  [
    "two rules that are met",
    rules,
    config(
      jwt({
        claimValidationRules: [
          { claim: "ref", requiredValue: "refs/heads/main" },
          { claim: "fork", requiredValue: "false" },
        ],
      }),
    ),
    {},
    "accepted",
  ],
  ["an expression", rules, where("claims.ref == 'refs/heads/main'"), {}, "accepted"],
  ["an expression that is false", rules, where("claims.ref == 'x'"), {}, "refused"],
  ["an expression that is no yes or no", rules, where("claims.ref"), {}, "refused"],
  ["an expression of a missing claim", rules, where("claims.nowhere == 'x'"), {}, "refused"],
  ["the documented life of a token", rules, where("claims.exp - claims.nbf <= 86400"), {}, "accepted"],
  ["a life that is too long", rules, where("claims.exp - claims.nbf <= 60"), {}, "refused"],
  ["and", cel, where(`claims.prj_id == '${projectId}' && claims.fork == 'false'`), {}, "accepted"],
  ["or", cel, where("claims.ref == 'x' || claims.branch == 'main'"), {}, "accepted"],
  ["not", cel, where("!(claims.fork == 'true')"), {}, "accepted"],
  ["in", cel, where("claims.ref in ['refs/heads/x', 'refs/heads/main']"), {}, "accepted"],
  ["not in", cel, where("claims.ref in ['refs/heads/x']"), {}, "refused"],
  ["startsWith", cel, where("claims.ref.startsWith('refs/heads/')"), {}, "accepted"],
  ["endsWith", cel, where("claims.ref.endsWith('/x')"), {}, "refused"],
  ["contains", cel, where("claims.sub.contains('repo:web')"), {}, "accepted"],
  ["matches", cel, where("claims.ref.matches('^refs/heads/ma.n$')"), {}, "accepted"],
  ["a costly pattern is not tried", cel, where("claims.ref.matches('(a*)*b')"), {}, "unknown"],
  ["size", cel, where("size(claims.ref) > 20"), {}, "refused"],
  ["has", cel, where("has(claims.ref)"), {}, "accepted"],
  ["has not", cel, where("has(claims.nowhere)"), {}, "refused"],
  ["brackets", cel, where("claims['ref_type'] == 'branch'"), {}, "accepted"],
  ["a list claim", cel, where("'a' in claims.teams"), { teams: ["a"] }, "accepted"],
  ["exists", cel, where("claims.teams.exists(t, t.startsWith('b'))"), { teams: ["a"] }, "refused"],
  ["a nested claim", cel, where("claims.nested.a == 'x'"), { nested: { a: "x" } }, "accepted"],
  ["an optional claim that is missing", optional, where("claims.?nowhere.orValue('d') == 'd'"), {}, "accepted"],
  ["an optional claim that is there", optional, where("claims.?ref.orValue('d') == 'd'"), {}, "refused"],
  ["a function that is not known here", rules, where("claims.ref.surprise()"), {}, "unknown"],
  ["username by claim and prefix", mappings, named(prefixed), {}, "accepted"],
  ["username by claim without a prefix", mappings, named({ username: { claim: "sub" } }), {}, "refused"],
  [
    "username by claim with an empty prefix",
    mappings,
    named({ username: { claim: "sub", prefix: "" } }),
    {},
    "accepted",
  ],
  ["username of a missing claim", mappings, named({ username: { claim: "nowhere", prefix: "x:" } }), {}, "refused"],
  ["username of a number", mappings, named({ username: { claim: "exp", prefix: "x:" } }), {}, "refused"],
  [
    "username by expression",
    mappings,
    named({ username: { expression: "'signalbox:' + claims.sub" } }),
    {},
    "accepted",
  ],
  [
    "username by an expression that fails",
    mappings,
    named({ username: { expression: "claims.nowhere" } }),
    {},
    "refused",
  ],
  ["an empty username", mappings, named({ username: { expression: "claims.tag" } }), {}, "refused"],
  ["no username", mappings, named({ username: {} }), {}, "refused"],
  ["groups by claim", mappings, grouped({ claim: "teams", prefix: "t:" }), { teams: ["a"] }, "accepted"],
  ["groups of a missing claim", mappings, grouped({ claim: "teams", prefix: "t:" }), {}, "refused"],
  ["groups by expression", mappings, grouped({ expression: "['signalbox:' + claims.prj_id]" }), {}, "accepted"],
  ["groups that are numbers", mappings, grouped({ expression: "[1]" }), {}, "refused"],
  ["uid by expression", mappings, named({ ...prefixed, uid: { expression: "claims.prj_id" } }), {}, "accepted"],
  [
    "extra by expression",
    mappings,
    named({ ...prefixed, extra: [{ key: "example.com/ref", valueExpression: "claims.ref" }] }),
    {},
    "accepted",
  ],
  [
    "extra by an expression that fails",
    mappings,
    named({ ...prefixed, extra: [{ key: "example.com/x", valueExpression: "claims.nowhere" }] }),
    {},
    "refused",
  ],
  ["a user rule", userRules, user("user.username.startsWith('signalbox:')"), {}, "accepted"],
  ["a user rule that is false", userRules, user("!user.username.startsWith('signalbox:')"), {}, "refused"],
  [
    "no system: user",
    userRules,
    user("!user.username.startsWith('system:')", { username: { expression: "'system:admin'" } }),
    {},
    "refused",
  ],
  [
    "a user rule over groups",
    userRules,
    user("user.groups.all(g, !g.startsWith('system:'))", { ...prefixed, groups: { expression: "['system:masters']" } }),
    {},
    "refused",
  ],
  [
    "a user rule over groups that is met",
    userRules,
    user("user.groups.all(g, !g.startsWith('system:'))", { ...prefixed, groups: { expression: "['team']" } }),
    {},
    "accepted",
  ],
  [
    "a user that is not known makes the rule unknown",
    userRules,
    user("user.username == 'x'", { username: { expression: "claims.ref.surprise()" } }),
    {},
    "unknown",
  ],
  ["an expired token", structured, config(jwt()), { exp: now }, "refused"],
  ["a token that begins later", structured, config(jwt()), { nbf: now + 600 }, "refused"],
];

it("has sixty cases and more", () => expect(cases.length).toBeGreaterThanOrEqual(60));

it.each(cases)("%s (%s)", (_says, _document, policy, given, verdict) => {
  expect(verdictOf("kubernetes", policy, given)).toBe(verdict);
});
