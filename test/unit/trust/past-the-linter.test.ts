/** Policies that name the right claims and hold a token to none of them: each was once taken for good by the linter. */
import { describe, expect, it } from "vitest";
import type { TrustCloud } from "../../../src/protocol/trust.ts";
import { lintTrust } from "../../../src/trust/trust.ts";
import { issuer, orgId, projectId, sub, verdictOf } from "./tokens.ts";

const rules = (cloud: TrustCloud, policy: unknown) =>
  lintTrust(cloud, JSON.stringify(policy)).findings.map(({ rule }) => rule);
type Row = readonly [says: string, given: string, found: string[]];

const google = (attributeCondition: string, over = {}) => ({
  attributeMapping: { "google.subject": "assertion.sub127" },
  attributeCondition,
  oidc: { issuerUri: issuer, allowedAudiences: ["x"] },
  ...over,
});
const kubernetes = (expression: string, ...more: unknown[]) => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AuthenticationConfiguration",
  jwt: [
    {
      issuer: { url: issuer, audiences: ["kubernetes"] },
      claimValidationRules: [{ expression }, ...more],
      claimMappings: { username: { claim: "sub", prefix: "signalbox:" } },
    },
  ],
});

const subject = `C.sub == '${sub}'`;
const project = `C.prj_id == '${projectId}'`;
const main = "C.ref == 'refs/heads/main'";
const nothing = ["missing-project", "missing-ref"];
const conditions: Row[] = [
  ["the subject, or anything", `${subject} || true`, nothing],
  ["anything, or the subject", `true || ${subject}`, nothing],
  ["the subject, or nothing", `${subject} || false`, []],
  ["the subject on one branch alone", `${subject} || C.org == 'acme'`, nothing],
  ["the ref on one branch alone", `${project} && (${main} || C.fork == 'false')`, ["missing-ref"]],
  ["two branches that each say all, by other claims", `${subject} || (${project} && ${main})`, []],
  ["two projects", `(${project} && ${main}) || (C.prj_id == 'x' && C.ref == 'refs/heads/x')`, []],
  ["a choice, one side of which demands nothing", `C.org == 'acme' ? ${subject} : true`, nothing],
  ["a choice that demands on both sides", `C.org == 'acme' ? ${subject} : (${project} && ${main})`, []],
  ["a claim compared with itself", "C.sub == C.sub", nothing],
  ["a claim that is there", "has(C.sub) && has(C.prj_id) && size(C.ref) > 0", nothing],
  ["a claim in a list of itself", "C.sub in [C.sub]", nothing],
  ["a subject from a list", `C.sub in ['${sub}', '${sub.replace("main", "x")}']`, []],
  ["a subject from an empty text", "C.sub.startsWith('')", ["wildcard-subject", "look-alike"]],
  ["the beginning of a subject alone", "C.sub.startsWith('org:acme:')", ["wildcard-subject"]],
  ["a subject up to any branch", `C.sub.startsWith('${sub.replace("main", "")}')`, ["wildcard-subject"]],
  ["a subject up to a slash in a ref", `C.sub.startsWith('${sub.replace("main", "release/")}')`, []],
  ["the beginning of a short subject", `C.sub127.startsWith('acme:')`, ["wildcard-subject"]],
  ["any ref, by its beginning", `${project} && C.ref.startsWith('refs/')`, ["wildcard-ref"]],
  ["any branch, by its beginning", `${project} && C.ref.startsWith('refs/heads/')`, ["wildcard-ref"]],
  ["no branch: every tag and pull request", `${project} && C.branch == ''`, ["missing-ref", "branch-without-ref-type"]],
  ["no tag: every branch", `${project} && C.tag == ''`, ["missing-ref"]],
  ["refs that are not protected", `${project} && C.ref_protected == 'false'`, ["missing-ref"]],
  ["the id form: a project on any ref", `C.sub == 'org_id:${orgId}:prj_id:${projectId}'`, ["missing-ref"]],
  ["an ending", `${project} && C.ref.endsWith('/main')`, ["look-alike", "missing-ref"]],
  ["a part of the subject", "C.sub.split(':')[1] == 'acme'", nothing],
  ["a pattern, one side of which is open", `${project} && C.ref.matches('^refs/heads/main$|^.*$')`, ["look-alike"]],
  ["a pattern of anything", `${project} && C.ref.matches('^.*$')`, ["wildcard-ref"]],
  ["a pattern whose beginning is optional", `${project} && C.ref.matches('^r*.+$')`, ["wildcard-ref"]],
  ["a pattern within a name", `${project} && C.ref.matches('^refs/heads/v[0-9]+$')`, []],
  ["a pattern of names", `${project} && C.ref.matches('^refs/heads/(main|next)$')`, []],
  ["a pattern of subjects of any project", "C.sub.matches('^org:acme:.*$')", ["wildcard-subject"]],
  ["a name out of a list", `${project} && ['refs/heads/a', 'refs/heads/b'].exists(r, C.ref == r)`, []],
  ["every name of no list", `${project} && [].all(r, C.ref == r)`, ["missing-ref"]],
  ["a name out of the token's own list", `${project} && [C.ref].exists(r, C.ref == r)`, ["missing-ref"]],
  ["a denial of a denial", `!(!(${project}) || !(${main}))`, ["negative-operator"]],
  ["a denial alone", `!(${project} && ${main})`, [...nothing, "negative-operator"]],
  ["a claim of another name", `${project} && ${main} && C.Ref == 'x'`, ["unknown-claim"]],
  ["yes and no, which are texts", `${project} && ${main} && C.fork == false`, ["not-text"]],
  ["a branch where a ref belongs", `${project} && C.ref == 'main'`, ["never-fits"]],
  [
    "a ref where a branch belongs",
    `${project} && C.branch == 'refs/heads/main' && C.ref_type == 'branch'`,
    ["never-fits"],
  ],
  ["another word for pull requests", `${project} && ${main} && C.ref_type == 'pull-request'`, ["never-fits"]],
  ["jobs of forks", `${project} && ${main} && C.fork == 'true'`, ["fork-trusted"]],
];

describe("a condition in CEL", () => {
  it.each(conditions)("%s", (_says, condition, found) => {
    const [assertion, claims] = ["assertion", "claims"].map((name) => condition.replace(/\bC\./g, `${name}.`));
    expect(rules("gcp", google(assertion ?? "")).toSorted()).toEqual(found.toSorted());
    expect(rules("kubernetes", kubernetes(claims ?? "")).toSorted()).toEqual(found.toSorted());
  });
});

describe("Kubernetes", () => {
  it("a rule that demands makes up for one that does not: all must be met", () =>
    expect(rules("kubernetes", kubernetes("true", { claim: "sub", requiredValue: sub }))).toEqual([]));

  it.each<Row>([
    ["what is taken where a claim is missing", `${main} && claims.?prj_id.orValue('x') == 'x'`, ["missing-project"]],
    ["what is refused where a claim is missing", `${main} && claims.?prj_id.orValue('') == 'x'`, []],
  ])("%s", (_says, condition, found) =>
    expect(rules("kubernetes", kubernetes(condition.replaceAll("C.", "claims.")))).toEqual(found),
  );

  it("an expression that does not parse is refused wherever it stands", () => {
    const [first] = kubernetes(subject.replace("C.", "claims.")).jwt;
    for (const more of [{ uid: { expression: "(" } }, { extra: [{ key: "k", valueExpression: "(" }] }]) {
      const config = {
        ...kubernetes("true"),
        jwt: [{ ...first, claimMappings: { ...first?.claimMappings, ...more } }],
      };
      expect(() => rules("kubernetes", config)).toThrow(/claimMappings\.(uid|extra\[0\])/);
    }
  });
});

describe("Google Cloud", () => {
  const names = { attributeMapping: { "google.subject": "assertion.sub127", "attribute.prj_id": "assertion.repo" } };
  const pool = "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p";

  it("an attribute is what is mapped to it, whatever it is called", () => {
    const condition = `attribute.prj_id == '${projectId}' && assertion.ref == 'refs/heads/main'`;
    expect(rules("gcp", google(condition, names))).toEqual(["missing-project"]);
    const right = { ...names.attributeMapping, "attribute.prj_id": "assertion.prj_id" };
    expect(rules("gcp", google(condition, { attributeMapping: right }))).toEqual([]);
    expect(rules("gcp", google(condition))).toEqual(["unmapped-attribute", "missing-project"]);
  });

  it("members make up for a condition only where each names project and ref", () => {
    const mapping = { "google.subject": "assertion.sub127", "attribute.ref": "assertion.ref" };
    const found = (...members: string[]) =>
      lintTrust("gcp", JSON.stringify(google("", { attributeMapping: mapping, members }))).findings[0]?.severity;
    const whole = `principal://${pool.slice("principalSet://".length)}/subject/acme:${projectId}:web:br:heads/main`;
    expect(found(whole)).toBe("warning");
    expect(found(`${pool}/attribute.ref/refs/heads/main`)).toBe("error");
    expect(found(whole, `${pool}/attribute.ref/refs/heads/main`)).toBe("error");
  });

  it("the default audience is every job's", () =>
    expect(
      rules(
        "gcp",
        google(`${project} && ${main}`.replaceAll("C.", "assertion."), {
          oidc: { issuerUri: issuer, allowedAudiences: [issuer] },
        }),
      ),
    ).toEqual(["default-audience"]));
});

const host = "ci.example.com";
const aws = (condition: unknown) => ({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Principal: { Federated: `arn:aws:iam::111122223333:oidc-provider/${host}` },
      Action: ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
      Condition: condition,
    },
  ],
});
const aud = { [`${host}:aud`]: "sts.amazonaws.com" };
const variable = (name: string) => ["$", "{", name, "}"].join("");

describe("AWS", () => {
  it.each<readonly [string, unknown, string[]]>([
    ["a tag alone", { StringEquals: { ...aud, "aws:RequestTag/repo": "web" } }, ["missing-subject"]],
    [
      "tags that say project and ref",
      { StringEquals: { ...aud, "aws:RequestTag/prj_id": projectId, "aws:RequestTag/ref": "refs/heads/main" } },
      ["subject-by-tags"],
    ],
    [
      "tags that are empty",
      { StringEquals: { ...aud, "aws:RequestTag/prj_id": projectId, "aws:RequestTag/tag": "" } },
      ["missing-subject"],
    ],
    [
      "tags by a wildcard",
      { StringEquals: aud, StringLike: { "aws:RequestTag/prj_id": "*", "aws:RequestTag/ref": "refs/heads/main" } },
      ["missing-subject"],
    ],
    [
      "a subject that is compared with itself",
      { StringEquals: { ...aud, [`${host}:sub`]: variable(`${host}:sub`) } },
      ["missing-subject", "policy-variable"],
    ],
    [
      "a literal dollar, which IAM has a variable for",
      { StringEquals: { ...aud, [`${host}:sub`]: sub + variable("$") } },
      [],
    ],
    ["the default audience", { StringEquals: { [`${host}:aud`]: issuer, [`${host}:sub`]: sub } }, ["default-audience"]],
    [
      "the id form",
      { StringEquals: { ...aud, [`${host}:sub`]: `org_id:${orgId}:prj_id:${projectId}` } },
      ["ref-by-profile"],
    ],
    ["a fork", { StringEquals: { ...aud, [`${host}:sub`]: sub.replace(":branch:", ":fork:") } }, ["fork-trusted"]],
    [
      "a project by its name, which no subject has",
      { StringEquals: { ...aud, [`${host}:sub`]: sub.replace(projectId, "web") } },
      ["foreign-subject"],
    ],
    ...[sub.replace("acme", "Acme"), sub.replace(":branch:", ":Branch:"), sub.toUpperCase()].map(
      (text): [string, unknown, string[]] => [
        `another case: ${text}`,
        { StringEquals: { ...aud, [`${host}:sub`]: text } },
        ["case-mismatch"],
      ],
    ),
    [
      "which tags there may be",
      { StringEquals: { ...aud, [`${host}:sub`]: sub }, "ForAllValues:StringEquals": { "aws:TagKeys": ["ref"] } },
      [],
    ],
  ])("%s", (_says, condition, found) => expect(rules("aws", aws(condition)).toSorted()).toEqual(found.toSorted()));
});

const role = { user_claim: "prj_id", bound_audiences: ["the-cloud"] };
const bound = (bound_claims: unknown, over = {}) => ({ ...role, bound_claims, ...over });
const all = { prj_id: projectId, ref: "refs/heads/main" };

describe("Vault", () => {
  it.each<readonly [string, unknown, string[]]>([
    ["no tag: every branch", bound({ prj_id: projectId, tag: "" }), ["missing-ref"]],
    ["a ref, or none", bound({ prj_id: projectId, tag: ["v1", ""] }), ["missing-ref"]],
    ["refs that are not protected", bound({ prj_id: projectId, ref_protected: "false" }), ["missing-ref"]],
    ["the id form", { ...role, bound_subject: `org_id:${orgId}:prj_id:${projectId}` }, ["missing-ref"]],
    ["jobs of forks", bound({ ...all, fork: ["true", "false"] }), ["fork-trusted"]],
    ["the default audience", { ...bound(all), bound_audiences: [issuer], config: undefined }, []],
    [
      "the default audience, where the issuer is known",
      { config: { bound_issuer: issuer }, role: { ...bound(all), bound_audiences: [issuer] } },
      ["default-audience"],
    ],
    ["expired tokens", bound(all, { clock_skew_leeway: "86400s" }), ["long-leeway"]],
    ["a branch where a ref belongs", bound({ prj_id: projectId, ref: "main" }), ["never-fits"]],
    ["keys without an issuer", { config: { jwt_validation_pubkeys: ["k"] }, role: bound(all) }, ["missing-issuer"]],
    ["other algorithms", { config: { jwt_supported_algs: ["ES256"] }, role: bound(all) }, ["unsupported-algorithm"]],
    ["another case", { config: { jwt_supported_algs: "rs256" }, role: bound(all) }, ["unsupported-algorithm"]],
    ["other algorithms, in the role", bound(all, { jwt_supported_algs: ["ES256"] }), ["unsupported-algorithm"]],
    [
      "the tokens' algorithm among others",
      { config: { jwt_supported_algs: ["ES256", "RS256"] }, role: bound(all) },
      [],
    ],
    ["no word of algorithms", { config: { jwt_supported_algs: [] }, role: bound(all) }, []],
  ])("%s", (_says, policy, found) => expect(rules("vault", policy)).toEqual(found));

  it("explain refuses too what the mount's algorithms leave out", () => {
    const mount = (jwt_supported_algs: string[]) => ({ config: { jwt_supported_algs }, role: bound(all) });
    expect(verdictOf("vault", mount(["ES256"]), {})).toBe("refused");
    expect(verdictOf("vault", mount(["RS256"]), {})).toBe("accepted");
  });
});
