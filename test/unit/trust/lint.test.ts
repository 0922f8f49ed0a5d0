/** What lint finds, rule by rule; and what does not parse: where and why. */
import { describe, expect, it } from "vitest";
import type { TrustCloud } from "../../../src/protocol/trust.ts";
import { lintTrust } from "../../../src/trust/trust.ts";
import { issuer, projectId, sub } from "./tokens.ts";

const rules = (cloud: TrustCloud, policy: unknown) =>
  lintTrust(cloud, typeof policy === "string" ? policy : JSON.stringify(policy)).findings.map(({ rule }) => rule);

const host = "ci.example.com";
const arn = `arn:aws:iam::111122223333:oidc-provider/${host}`;
const aws = (condition: unknown, over = {}) => ({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Principal: { Federated: arn },
      Action: "sts:AssumeRoleWithWebIdentity",
      Condition: condition,
      ...over,
    },
  ],
});
const aud = { [`${host}:aud`]: "sts.amazonaws.com" };
const like = (text: string) => aws({ StringEquals: aud, StringLike: { [`${host}:sub`]: text } });
const equals = (key: string, value: unknown) => aws({ StringEquals: { ...aud, [`${host}:sub`]: sub, [key]: value } });
const good = aws({ StringEquals: { ...aud, [`${host}:sub`]: sub } });

describe("lint of AWS", () => {
  it.each<[string, unknown, string[]]>([
    ["a good policy", good, []],
    ["no conditions at all", aws(undefined), ["missing-subject", "missing-audience"]],
    ["an audience alone", aws({ StringEquals: aud }), ["missing-subject"]],
    ["a subject alone", aws({ StringEquals: { [`${host}:sub`]: sub } }), ["missing-audience"]],
    ["any subject", like("*"), ["wildcard-subject"]],
    ["any project", like("org:acme:project:*:repo:web:ref_type:branch:ref:refs/heads/main"), ["wildcard-subject"]],
    ["any kind of ref", like(`org:acme:project:${projectId}:repo:web:ref_type:*`), ["wildcard-subject"]],
    [
      "any branch",
      like(`org:acme:project:${projectId}:repo:web:ref_type:branch:ref:refs/heads/*`),
      ["wildcard-subject"],
    ],
    [
      "any pull request",
      like(`org:acme:project:${projectId}:repo:web:ref_type:pr:ref:refs/pull/*`),
      ["wildcard-subject"],
    ],
    [
      "any pull request, by the organization's other word",
      like(`org:acme:project:${projectId}:repo:web:ref_type:pull-request:ref:refs/pull/*`),
      ["wildcard-subject"],
    ],
    [
      "any pull request of a fork",
      like(`org:acme:project:${projectId}:repo:web:ref_type:fork:ref:refs/pull/*`),
      ["wildcard-subject"],
    ],
    ["a prefix that ends in a slash", like(sub.replace("main", "release/*")), []],
    ["a prefix within a name", like(`${sub}*`), ["look-alike"]],
    ["a question mark within a name", like(sub.replace("main", "mai?")), ["look-alike"]],
    ["a wildcard before an end", like(sub.replace("main", "release/*-prod")), ["wildcard-inside"]],
    [
      "a wildcard in StringEquals",
      aws({ StringEquals: { ...aud, [`${host}:sub`]: sub.replace("main", "*") } }),
      ["literal-wildcard"],
    ],
    [
      "a negative operator",
      aws({ StringEquals: aud, StringNotEquals: { [`${host}:sub`]: sub } }),
      ["missing-subject", "negative-operator"],
    ],
    [
      "IfExists",
      aws({ StringEquals: aud, StringEqualsIfExists: { [`${host}:sub`]: sub } }),
      ["missing-subject", "vacuous-condition"],
    ],
    [
      "ForAllValues",
      aws({ StringEquals: aud, "ForAllValues:StringEquals": { [`${host}:sub`]: sub } }),
      ["missing-subject", "vacuous-condition"],
    ],
    ["case ignored", aws({ StringEquals: aud, StringEqualsIgnoreCase: { [`${host}:sub`]: sub } }), ["case-ignored"]],
    ["a claim that AWS does not see", equals(`${host}:branch`, "main"), ["unknown-claim"]],
    ["the title of a pull request", equals("aws:RequestTag/pr", "x"), ["title-condition", "missing-tag-session"]],
    ["tags without sts:TagSession", equals("aws:RequestTag/ref", "refs/heads/x"), ["missing-tag-session"]],
    [
      "branch without ref_type",
      equals("aws:RequestTag/branch", "main"),
      ["branch-without-ref-type", "missing-tag-session"],
    ],
    ["another issuer's key", equals("token.actions.githubusercontent.com:sub", sub), ["issuer-mismatch"]],
    [
      "a key of another case",
      aws({ StringEquals: { "CI.example.com:aud": "x", [`${host}:sub`]: sub } }),
      ["case-mismatch"],
    ],
    [
      "another's form of subject",
      aws({ StringEquals: { ...aud, [`${host}:sub`]: "repo:acme/web:ref:refs/heads/main" } }),
      ["foreign-subject"],
    ],
    [
      "a subject that is too long",
      aws({ StringEquals: { ...aud, [`${host}:sub`]: `${sub}${"x".repeat(255)}` } }),
      ["subject-too-long"],
    ],
    [
      "an issuer with a port",
      aws(
        { StringEquals: { [`${host}:8443:aud`]: "x", [`${host}:8443:sub`]: sub } },
        { Principal: { Federated: `${arn}:8443` } },
      ),
      ["issuer-form"],
    ],
    [
      "an issuer with a path",
      aws(
        { StringEquals: { [`${host}/x:aud`]: "x", [`${host}/x:sub`]: sub } },
        { Principal: { Federated: `${arn}/x` } },
      ),
      ["issuer-form"],
    ],
    ["everybody", { ...good, Statement: [{ ...good.Statement[0], Principal: "*" }] }, ["everybody"]],
    [
      "NotAction",
      aws({ StringEquals: { ...aud, [`${host}:sub`]: sub } }, { Action: undefined, NotAction: "sts:AssumeRole" }),
      ["negated-element"],
    ],
    ["a wildcard audience", aws({ StringLike: { [`${host}:aud`]: "*", [`${host}:sub`]: sub } }), ["wildcard-audience"]],
    [
      "a policy that is too long",
      aws({ StringEquals: { ...aud, [`${host}:sub`]: Array(20).fill(sub) } }),
      ["policy-too-long"],
    ],
  ])("%s", (_says, policy, found) => expect(rules("aws", policy).toSorted()).toEqual(found.toSorted()));
});

const provider = (attributeCondition: string, more = {}) => ({
  attributeMapping: { "google.subject": "assertion.sub127" },
  attributeCondition,
  oidc: { issuerUri: issuer, allowedAudiences: ["x"] },
  ...more,
});
const ofProject = `assertion.prj_id == '${projectId}'`;
const safe = `${ofProject} && assertion.ref == 'refs/heads/main'`;
const mapped = (attributeMapping: Record<string, string>) => provider(safe, { attributeMapping });

describe("lint of Google Cloud", () => {
  it.each<[string, unknown, string[]]>([
    ["a good provider", provider(safe), []],
    ["no condition", provider(""), ["missing-condition"]],
    ["a condition without project", provider("assertion.ref == 'refs/heads/main'"), ["missing-project"]],
    ["a condition without ref", provider(`assertion.prj_id == '${projectId}'`), ["missing-ref"]],
    [
      "branch alone",
      provider(`assertion.prj_id == '${projectId}' && assertion.branch == 'main'`),
      ["branch-without-ref-type"],
    ],
    [
      "branch with ref_type",
      provider(`assertion.prj_id == '${projectId}' && assertion.branch == 'main' && assertion.ref_type == 'branch'`),
      [],
    ],
    ["the title of a pull request", provider(`${safe} && assertion.pr == 'x'`), ["title-condition"]],
    [
      "a beginning within a name",
      provider(`${ofProject} && assertion.ref.startsWith('refs/heads/main')`),
      ["look-alike"],
    ],
    [
      "a beginning up to a slash",
      provider(`assertion.prj_id == '${projectId}' && assertion.ref.startsWith('refs/heads/release/')`),
      [],
    ],
    ["contains", provider(`${safe} && assertion.ref.contains('main')`), ["look-alike"]],
    ["matches anywhere", provider(`${ofProject} && assertion.ref.matches('main')`), ["look-alike"]],
    ["a negation", provider(`${safe} && assertion.fork != 'true'`), ["negative-operator"]],
    [
      "a condition over attributes",
      provider(`attribute.id == '${projectId}' && attribute['git'] == 'refs/heads/main'`, {
        attributeMapping: {
          "google.subject": "assertion.sub127",
          "attribute.id": "assertion.prj_id",
          "attribute.git": "assertion.ref",
        },
      }),
      [],
    ],
    ["no subject", mapped({}), ["missing-subject"]],
    ["sub as subject", mapped({ "google.subject": "assertion.sub" }), ["subject-too-long"]],
    ["the repository as subject", mapped({ "google.subject": "assertion.repo" }), ["shared-subject"]],
    [
      "an illegal attribute",
      mapped({ "google.subject": "assertion.sub127", "google.branch": "assertion.branch" }),
      ["illegal-attribute"],
    ],
    [
      "everybody in the pool",
      provider(safe, {
        members: ["principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/*"],
      }),
      ["whole-pool"],
    ],
    ["an issuer with a slash", provider(safe, { oidc: { issuerUri: `${issuer}/` } }), ["issuer-form"]],
    ["an issuer by http", provider(safe, { oidc: { issuerUri: "http://ci.example.com" } }), ["issuer-form"]],
  ])("%s", (_says, policy, found) => expect(rules("gcp", policy)).toEqual(found));
});

const credential = (over = {}) => ({ issuer, subject: sub, audiences: ["api://AzureADTokenExchange"], ...over });

describe("lint of Azure", () => {
  it.each<[string, unknown, string[]]>([
    ["a good credential", credential(), []],
    ["a wildcard", credential({ subject: `${sub}*` }), ["literal-wildcard"]],
    ["another's form of subject", credential({ subject: "repo:acme/web:ref:refs/heads/main" }), ["foreign-subject"]],
    ["no subject", credential({ subject: "" }), ["missing-subject"]],
    ["a flexible one", credential({ claimsMatchingExpression: { value: "x" } }), ["flexible"]],
    ["two audiences", credential({ audiences: ["api://AzureADTokenExchange", "x"] }), ["audience-count"]],
    ["the default audience", credential({ audiences: [issuer] }), ["default-audience"]],
    ["another audience", credential({ audiences: ["x"] }), ["unusual-audience"]],
    ["twins", [credential(), credential()], ["twin"]],
    [
      "twenty-one",
      Array.from({ length: 21 }, (_, at) => credential({ subject: `${sub}${at}` })),
      ["too-many-credentials"],
    ],
    ["an issuer in capitals", credential({ issuer: "https://CI.example.com" }), ["issuer-form"]],
  ])("%s", (_says, policy, found) => expect(rules("azure", policy)).toEqual(found));
});

const role = (over = {}) => ({
  role_type: "jwt",
  user_claim: "prj_id",
  bound_audiences: ["vault"],
  bound_claims: { prj_id: projectId, ref: "refs/heads/main" },
  ...over,
});
const bound = (bound_claims: unknown, type = "string") => role({ bound_claims, bound_claims_type: type });

describe("lint of Vault", () => {
  it.each<[string, unknown, string[]]>([
    ["a good role", role(), []],
    ["no audience", role({ bound_audiences: null }), ["missing-audience"]],
    ["actor as user_claim", role({ user_claim: "actor" }), ["empty-user-claim"]],
    ["job_id as user_claim", role({ user_claim: "job_id" }), ["alias-per-job"]],
    ["no user_claim", role({ user_claim: "" }), ["missing-user-claim"]],
    ["no project", bound({ ref: "refs/heads/main" }), ["missing-project"]],
    ["no ref", bound({ prj_id: projectId }), ["missing-ref"]],
    ["branch alone", bound({ prj_id: projectId, branch: "main" }), ["branch-without-ref-type"]],
    ["the title of a pull request", bound({ prj_id: projectId, ref: "refs/heads/r", pr: "x" }), ["title-condition"]],
    ["a wildcard without glob", bound({ prj_id: projectId, ref: "refs/heads/*" }), ["literal-wildcard"]],
    ["a glob within a name", bound({ prj_id: projectId, ref: "refs/heads/main*" }, "glob"), ["look-alike"]],
    ["a glob for every branch", bound({ prj_id: projectId, ref: "refs/heads/*" }, "glob"), ["look-alike"]],
    ["a glob up to a slash", bound({ prj_id: projectId, ref: "refs/heads/release/*" }, "glob"), []],
    ["a glob for the project", bound({ prj_id: "*", ref: "refs/heads/main" }, "glob"), ["wildcard-claim"]],
    ["a boolean", bound({ prj_id: projectId, ref: "refs/heads/r", fork: false }), ["not-text"]],
    ["a claim that there is not", bound({ prj_id: projectId, ref: "refs/heads/r", nowhere: "x" }), ["unknown-claim"]],
    ["keys without an issuer", { config: { jwks_url: "https://x.example.com" }, role: role() }, ["missing-issuer"]],
    ["a role for people", role({ role_type: "oidc" }), ["role-type"]],
  ])("%s", (_says, policy, found) => expect(rules("vault", policy)).toEqual(found));
});

const jwt = (rule: unknown, over = {}) => ({
  issuer: { url: issuer, audiences: ["kubernetes"] },
  claimValidationRules: rule === null ? [] : [rule],
  claimMappings: { username: { claim: "sub", prefix: "signalbox:" } },
  ...over,
});
const config = (...each: unknown[]) => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AuthenticationConfiguration",
  jwt: each,
});
const subject = { claim: "sub", requiredValue: sub };

describe("lint of Kubernetes", () => {
  it.each<[string, unknown, string[]]>([
    ["a good configuration", config(jwt(subject)), []],
    ["no rules", config(jwt(null)), ["missing-condition"]],
    ["no project", config(jwt({ claim: "ref", requiredValue: "refs/heads/main" })), ["missing-project"]],
    ["no ref", config(jwt({ expression: `claims.prj_id == '${projectId}'` })), ["missing-ref"]],
    ["no audience", config(jwt(subject, { issuer: { url: issuer, audiences: [] } })), ["missing-audience"]],
    [
      "the default audience",
      config(jwt(subject, { issuer: { url: issuer, audiences: [issuer] } })),
      ["default-audience"],
    ],
    [
      "audiences without MatchAny",
      config(jwt(subject, { issuer: { url: issuer, audiences: ["a", "b"] } })),
      ["audience-policy"],
    ],
    [
      "a user name without prefix",
      config(jwt(subject, { claimMappings: { username: { expression: "claims.sub" } } })),
      ["missing-prefix"],
    ],
    [
      "the title as user name",
      config(jwt(subject, { claimMappings: { username: { claim: "pr", prefix: "x:" } } })),
      ["title-condition"],
    ],
    ["an issuer twice", config(jwt(subject), jwt(subject)), ["twin"]],
  ])("%s", (_says, policy, found) => expect(rules("kubernetes", policy)).toEqual(found));
});

describe("a policy that does not parse", () => {
  it.each<[TrustCloud, string, RegExp]>([
    ["aws", "", /^line 1, column 1: ends too early/],
    ["aws", '{"Version": "2012-10-17",}', /^line 1, column 25: a comma stands before the end/],
    ["aws", '{"a": 1,\n "a": 2}', /^line 2, column 2: the member "a" stands twice/],
    ["aws", "{'a': 1}", /^line 1, column 2: expected a string in double quotes/],
    ["aws", '{"a": 1} x', /^line 1, column 10: expected the end/],
    ["aws", '{"a": 01}', /^line 1, column 7: expected a value/],
    ["aws", `${"[".repeat(100)}`, /nested too deeply/],
    ["aws", '{"Statement": {"Effect": "allow"}}', /^Statement/],
    ["aws", '{"Statement": {"Effect": "Allow", "Resource": "*"}}', /^Statement.Resource: is not known here$/],
    ["aws", '{"__proto__": {"Statement": []}}', /Statement|__proto__/],
    ["gcp", "a: b: c", /^line 1, column \d+: /],
    ["gcp", "attributeMapping: {}", /^oidc: /],
    ["gcp", JSON.stringify(provider("assertion.ref ==")), /^attributeCondition, line 1, column \d+: /],
    [
      "gcp",
      JSON.stringify(mapped({ "google.subject": "assertion." })),
      /^attributeMapping\["google.subject"\], line 1/,
    ],
    ["azure", "[]", /holds no federated credential/],
    ["azure", "issuer: x\nissuer: y", /^line \d, column \d+: /],
    ["azure", '{"value": [{"issuer": "x"}]}', /^value.0.audiences: is missing; it must be a list$/],
    ["azure", '[{"issuer": "x", "audiences": "y"}]', /^0.audiences: must be a list, not text$/],
    ["azure", '{"issuer": 1}', /^issuer: must be text, not a number$/],
    [
      "aws",
      '{"Statement": [{"Effect": "Allow", "Action": 5}]}',
      /^Statement\[0\].Action: must be text or a list, not a number$/,
    ],
    [
      "aws",
      '{"Statement": [{"Effect": "Allow", "Principal": "x"}]}',
      /^Statement\[0\].Principal: must be "\*" or an object, not text$/,
    ],
    ["aws", "{}", /^Statement: is missing; it must be an object or a list$/],
    ["vault", '{"role": {"bound_audiences": 5}}', /^role.bound_audiences: must be a list or text, not a number$/],
    ["vault", '{"data": {"role_type": 1}}', /^data.role_type: must be text, not a number$/],
    ["vault", '{"bound_claims": []}', /^bound_claims: must be an object, not a list$/],
    ["vault", '{"role": 5}', /^role: must be an object, not a number$/],
    ["vault", "[]", /^must be an object, not a list$/],
    ["vault", "[", /^line 1/],
    [
      "vault",
      "a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c]",
      /alias/i,
    ],
    ["kubernetes", "kind: Pod", /^apiVersion: /],
    [
      "kubernetes",
      JSON.stringify(config(jwt({ expression: "claims.ref == (" }))),
      /claimValidationRules\[0\].expression, line 1/,
    ],
  ])("for %s: %s", (cloud, text, why) => expect(() => lintTrust(cloud, text)).toThrow(why));
});
