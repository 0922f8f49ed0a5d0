/** Google Cloud, case by case: what its documents say of a workload identity pool provider and a token. */
import { expect, it } from "vitest";
import { type Case, claims, issuer, now, projectId, sub, verdictOf } from "./tokens.ts";

const mapping = "Google Cloud, Workload Identity Federation: Attribute mappings";
const conditions = "Google Cloud, Workload Identity Federation: Attribute conditions";
const audiences = "Google Cloud, Configure Workload Identity Federation: Prepare your external IdP (allowed audiences)";
const token = "Google Cloud, Workload Identity Federation: OIDC token requirements";
const principals = "Google Cloud IAM, Principal identifiers";
const extract = "Google Cloud IAM, Attribute reference for conditions: extract";
const cel = "Common Expression Language specification";
const reference = "IAM REST reference, workloadIdentityPools.providers";

const name = "projects/123/locations/global/workloadIdentityPools/pool/providers/web";
const pool = "iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/pool";

const provider = (over: Record<string, unknown> = {}) => ({
  name,
  attributeMapping: { "google.subject": "assertion.sub127", "attribute.ref": "assertion.ref" },
  attributeCondition: "",
  oidc: { issuerUri: issuer, allowedAudiences: ["the-cloud"] },
  ...over,
});
const when = (attributeCondition: string) => provider({ attributeCondition });
const mapped = (attributeMapping: Record<string, string>, attributeCondition = "") =>
  provider({ attributeMapping, attributeCondition });
const heard = (allowedAudiences: string[], over = {}) =>
  provider({ oidc: { issuerUri: issuer, allowedAudiences }, ...over });
const member = (...members: string[]) => provider({ members });
const subject = (expression: string) => mapped({ "google.subject": expression });

const cases: Case<unknown>[] = [
  ["no condition takes every token of the issuer", conditions, provider(), {}, "accepted"],
  ["a condition that is true", conditions, when("assertion.ref == 'refs/heads/main'"), {}, "accepted"],
  ["a condition that is false", conditions, when("assertion.ref == 'refs/heads/x'"), {}, "refused"],
  ["texts are compared by case", cel, when("assertion.ref == 'refs/heads/Main'"), {}, "refused"],
  ["a wildcard is literal", cel, when("assertion.ref == 'refs/heads/*'"), {}, "refused"],
  ["and: both", cel, when(`assertion.prj_id == '${projectId}' && assertion.ref_type == 'branch'`), {}, "accepted"],
  ["and: one is false", cel, when("assertion.prj_id == 'x' && assertion.ref_type == 'branch'"), {}, "refused"],
  ["or: one is true", cel, when("assertion.ref == 'x' || assertion.ref_type == 'branch'"), {}, "accepted"],
  ["not", cel, when("!(assertion.fork == 'true')"), {}, "accepted"],
  ["is not", cel, when("assertion.fork != 'true'"), {}, "accepted"],
  ["in a list", cel, when("assertion.ref in ['refs/heads/x', 'refs/heads/main']"), {}, "accepted"],
  ["not in a list", cel, when("assertion.ref in ['refs/heads/x']"), {}, "refused"],
  ["startsWith", cel, when("assertion.ref.startsWith('refs/heads/')"), {}, "accepted"],
  ["startsWith another", cel, when("assertion.ref.startsWith('refs/tags/')"), {}, "refused"],
  ["endsWith", cel, when("assertion.ref.endsWith('/main')"), {}, "accepted"],
  ["contains", cel, when("assertion.sub.contains(':repo:web:')"), {}, "accepted"],
  ["matches a whole value", cel, when("assertion.ref.matches('^refs/heads/[a-z]+$')"), {}, "accepted"],
  ["matches looks anywhere", cel, when("assertion.ref.matches('heads')"), {}, "accepted"],
  ["matches nothing", cel, when("assertion.ref.matches('^heads')"), {}, "refused"],
  ["a pattern that could explode is not tried", cel, when("assertion.ref.matches('^(a+)+$')"), {}, "unknown"],
  ["a pattern that is computed is not tried", cel, when("assertion.ref.matches(assertion.branch)"), {}, "unknown"],
  ["size", cel, when("size(assertion.branch) == 4"), {}, "accepted"],
  ["a ternary", cel, when("assertion.tag == '' ? assertion.branch == 'main' : false"), {}, "accepted"],
  ["numbers are compared", cel, when(`assertion.exp > ${now}`), {}, "accepted"],
  ["numbers are reckoned with", cel, when("assertion.exp - assertion.iat <= 900"), {}, "accepted"],
  ["a text is no yes", cel, when("assertion.fork == false"), {}, "refused"],
  ["a claim by its name in brackets", cel, when("assertion['ref'] == 'refs/heads/main'"), {}, "accepted"],
  ["a missing claim is an error, and so refused", conditions, when("assertion.nowhere == 'x'"), {}, "refused"],
  [
    "an error beside a true or is none",
    cel,
    when("assertion.nowhere == 'x' || assertion.branch == 'main'"),
    {},
    "accepted",
  ],
  [
    "an error beside a false and is none",
    cel,
    when("assertion.branch == 'x' && assertion.nowhere == 'x'"),
    {},
    "refused",
  ],
  ["has: a claim that is there", cel, when("has(assertion.branch)"), {}, "accepted"],
  ["has: a claim that is not", cel, when("has(assertion.nowhere)"), {}, "refused"],
  ["has before use", cel, when("!has(assertion.nowhere) || assertion.nowhere == 'x'"), {}, "accepted"],
  ["exists over a list", cel, when("assertion.teams.exists(t, t == 'a')"), { teams: ["a", "b"] }, "accepted"],
  ["all over a list", cel, when("assertion.teams.all(t, t == 'a')"), { teams: ["a", "b"] }, "refused"],
  ["comprehensions in comprehensions are not tried", cel, when("[1,2].all(x, [1,2].all(y, x + y > 0))"), {}, "unknown"],
  ["a function that is not known here", conditions, when("assertion.ref.surprise('x')"), {}, "unknown"],
  ["a condition that is no yes or no", conditions, when("assertion.ref"), {}, "refused"],
  ["a mapped attribute in the condition", conditions, when("attribute.ref == 'refs/heads/main'"), {}, "accepted"],
  [
    "google.subject in the condition",
    conditions,
    when(`google.subject.startsWith('acme:${projectId}:')`),
    {},
    "accepted",
  ],
  ["an attribute that is not mapped is an error", conditions, when("attribute.nowhere == 'x'"), {}, "refused"],
  ["extract up to the end", extract, when("assertion.ref.extract('refs/heads/{name}') == 'main'"), {}, "accepted"],
  ["extract up to a slash", extract, when("'projects/p/buckets/b'.extract('/buckets/{name}') == 'b'"), {}, "accepted"],
  [
    "extract between two texts",
    extract,
    when("assertion.sub.extract('repo:{name}:ref_type') == 'web'"),
    {},
    "accepted",
  ],
  [
    "extract that does not fit is empty",
    extract,
    when("assertion.ref.extract('refs/tags/{name}') == ''"),
    {},
    "accepted",
  ],
  ["extract from the beginning", extract, when("assertion.ref.extract('{kind}/heads') == 'refs'"), {}, "accepted"],
  [
    "a condition of more than 4096 characters",
    reference,
    when(`assertion.branch == 'main' || '${"x".repeat(4096)}' == 'y'`),
    {},
    "refused",
  ],
  ["google.subject must be mapped", mapping, mapped({ "attribute.ref": "assertion.ref" }), {}, "refused"],
  ["a subject of 127 bytes", mapping, provider(), { sub127: "x".repeat(127) }, "accepted"],
  ["a subject of 128 bytes", mapping, provider(), { sub127: "x".repeat(128) }, "refused"],
  ["bytes are counted, not characters", mapping, provider(), { sub127: "é".repeat(64) }, "refused"],
  ["sub where it is short enough", mapping, subject("assertion.sub"), { sub: sub.slice(0, 127) }, "accepted"],
  ["sub where it is too long", mapping, subject("assertion.sub"), { sub: `${sub}${"x".repeat(60)}` }, "refused"],
  ["an empty subject", mapping, subject("assertion.tag"), {}, "refused"],
  ["a subject of a missing claim", mapping, subject("assertion.nowhere"), {}, "refused"],
  ["a subject that is a number", mapping, subject("assertion.exp"), {}, "refused"],
  ["a subject that is put together", mapping, subject("assertion.org + '/' + assertion.branch"), {}, "accepted"],
  [
    "google.branch is no attribute",
    mapping,
    mapped({ "google.subject": "assertion.sub127", "google.branch": "assertion.branch" }),
    {},
    "refused",
  ],
  [
    "an attribute in capitals is none",
    mapping,
    mapped({ "google.subject": "assertion.sub127", "attribute.Ref": "assertion.ref" }),
    {},
    "refused",
  ],
  [
    "google.groups may be a list",
    mapping,
    mapped({ "google.subject": "assertion.sub127", "google.groups": "assertion.teams" }),
    { teams: ["a"] },
    "accepted",
  ],
  [
    "an attribute of a missing claim refuses",
    mapping,
    mapped({ "google.subject": "assertion.sub127", "attribute.x": "assertion.nowhere" }),
    {},
    "refused",
  ],
  [
    "an attribute by a ternary",
    mapping,
    mapped(
      { "google.subject": "assertion.sub127", "attribute.kind": "assertion.tag == '' ? 'branch' : 'tag'" },
      "attribute.kind == 'branch'",
    ),
    {},
    "accepted",
  ],
  [
    "a mapping of more than 2048 characters",
    reference,
    subject(`assertion.sub127 + '${"x".repeat(2048)}'`),
    {},
    "refused",
  ],
  [
    "a mapping that is not known here makes the answer unknown",
    mapping,
    mapped({ "google.subject": "assertion.sub127", "attribute.x": "assertion.ref.surprise()" }),
    {},
    "unknown",
  ],
  [
    "more than 8 KB of attributes",
    mapping,
    mapped({ "google.subject": "assertion.sub127", "attribute.x": "assertion.big" }),
    { big: "x".repeat(9000) },
    "refused",
  ],
  [
    "another issuer",
    token,
    provider({ oidc: { issuerUri: "https://other.example.com", allowedAudiences: ["the-cloud"] } }),
    {},
    "refused",
  ],
  [
    "an issuer with a slash at the end",
    token,
    provider({ oidc: { issuerUri: `${issuer}/`, allowedAudiences: ["the-cloud"] } }),
    {},
    "refused",
  ],
  ["one of several audiences", audiences, heard(["x", "the-cloud"]), {}, "accepted"],
  ["another audience", audiences, heard(["x"]), {}, "refused"],
  [
    "without a list, the provider's name with https:",
    audiences,
    heard([]),
    { aud: `https://iam.googleapis.com/${name}` },
    "accepted",
  ],
  [
    "without a list, the provider's name without",
    audiences,
    heard([]),
    { aud: `//iam.googleapis.com/${name}` },
    "accepted",
  ],
  ["without a list, another audience", audiences, heard([]), {}, "refused"],
  [
    "without a list, another provider's name",
    audiences,
    heard([]),
    { aud: `//iam.googleapis.com/${name}x` },
    "refused",
  ],
  [
    "with a list, the provider's name is not taken",
    audiences,
    heard(["x"]),
    { aud: `https://iam.googleapis.com/${name}` },
    "refused",
  ],
  [
    "without a list and name, a provider's name is not decided",
    audiences,
    heard([], { name: undefined }),
    { aud: `//iam.googleapis.com/${name}` },
    "unknown",
  ],
  ["without a list and name, anything else is refused", audiences, heard([], { name: undefined }), {}, "refused"],
  ["a life of 48 hours is too long", token, provider(), { exp: now + 48 * 3600 }, "refused"],
  ["a life below it", token, provider(), { exp: now + 48 * 3600 - 1 }, "accepted"],
  ["a token without iat", token, provider(), { iat: undefined }, "refused"],
  ["an expired token", token, provider(), { exp: now }, "refused"],
  ["a provider that is disabled", reference, provider({ disabled: true }), {}, "refused"],
  ["a provider that was deleted", reference, provider({ state: "DELETED" }), {}, "refused"],
  ["a principal by subject", principals, member(`principal://${pool}/subject/${claims.sub127}`), {}, "accepted"],
  ["a principal of another subject", principals, member(`principal://${pool}/subject/x`), {}, "refused"],
  ["a set by attribute", principals, member(`principalSet://${pool}/attribute.ref/refs/heads/main`), {}, "accepted"],
  [
    "a set by an attribute's other value",
    principals,
    member(`principalSet://${pool}/attribute.ref/refs/heads/x`),
    {},
    "refused",
  ],
  [
    "a set by an attribute that is not mapped",
    principals,
    member(`principalSet://${pool}/attribute.prj_id/x`),
    {},
    "refused",
  ],
  ["a set has no wildcards", principals, member(`principalSet://${pool}/attribute.ref/refs/heads/*`), {}, "refused"],
  ["everybody in the pool", principals, member(`principalSet://${pool}/*`), {}, "accepted"],
  [
    "one of several members",
    principals,
    member(`principal://${pool}/subject/x`, `principalSet://${pool}/*`),
    {},
    "accepted",
  ],
  ["a subject is no set", principals, member(`principalSet://${pool}/subject/${claims.sub127}`), {}, "refused"],
];

it("has sixty cases and more", () => expect(cases.length).toBeGreaterThanOrEqual(60));

it.each(cases)("%s (%s)", (_says, _document, policy, given, verdict) => {
  expect(verdictOf("gcp", policy, given)).toBe(verdict);
});
