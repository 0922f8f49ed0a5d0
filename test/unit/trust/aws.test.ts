/** AWS, case by case: what IAM's documents say of a trust policy and a token. */
import { expect, it } from "vitest";
import { type Case, issuer, now, sub, verdictOf } from "./tokens.ts";

const host = "ci.example.com";
const arn = `arn:aws:iam::111122223333:oidc-provider/${host}`;
const action = "sts:AssumeRoleWithWebIdentity";

const operators = "IAM User Guide, IAM JSON policy elements: Condition operators";
const sets = "IAM User Guide, Set operators for multivalued context keys";
const logic = "IAM User Guide, Conditions with multiple context keys or values";
const keys = "IAM User Guide, Available keys for AWS OIDC federation";
const variables = "IAM User Guide, IAM policy elements: Variables and tags";
const evaluation = "IAM User Guide, Policy evaluation logic";
const principal = "IAM User Guide, IAM JSON policy elements: Principal";
const actions = "IAM User Guide, IAM JSON policy elements: Action";
const tags = "IAM User Guide, Pass session tags in AWS STS";
const provider = "IAM User Guide, Create an OpenID Connect identity provider in IAM";
const sts = "AWS STS API Reference, AssumeRoleWithWebIdentity";

const allow = (condition: unknown, over: Record<string, unknown> = {}) => ({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Principal: { Federated: arn },
      Action: action,
      Condition: condition,
      ...over,
    },
  ],
});
const aud = { StringEquals: { [`${host}:aud`]: "the-cloud" } };
const also = (condition: Record<string, Record<string, unknown>>) => ({
  ...condition,
  StringEquals: {
    ...aud.StringEquals,
    ...condition.StringEquals,
  },
});
const onSub = (operator: string, value: unknown) => allow(also({ [operator]: { [`${host}:sub`]: value } }));
const withTags = (principal_tags: Record<string, string[]>) => ({
  "https://aws.amazon.com/tags": {
    principal_tags,
    transitive_tag_keys: [],
  },
});
const tagged = { Action: [action, "sts:TagSession"] };
const deny = (condition: unknown, over: Record<string, unknown> = {}) => {
  const policy = onSub("StringEquals", sub);
  const statement = {
    Effect: "Deny",
    Principal: "*",
    Action: action,
    Condition: condition,
    ...over,
  };
  return {
    ...policy,
    Statement: [...policy.Statement, statement],
  };
};

const cases: Case<unknown>[] = [
  ["StringEquals fits the whole value", operators, onSub("StringEquals", sub), {}, "accepted"],
  ["StringEquals looks at case", operators, onSub("StringEquals", sub.replace("main", "Main")), {}, "refused"],
  [
    "StringEquals takes a wildcard literally",
    operators,
    onSub("StringEquals", sub.replace("main", "*")),
    {},
    "refused",
  ],
  ["StringEquals does not take a beginning", operators, onSub("StringEquals", sub.slice(0, -1)), {}, "refused"],
  [
    "StringEqualsIgnoreCase does not look at case",
    operators,
    onSub("StringEqualsIgnoreCase", sub.toUpperCase()),
    {},
    "accepted",
  ],
  ["StringEqualsIgnoreCase still compares", operators, onSub("StringEqualsIgnoreCase", `${sub}x`), {}, "refused"],
  ["StringLike without a wildcard is StringEquals", operators, onSub("StringLike", sub), {}, "accepted"],
  ["StringLike: * is any run", operators, onSub("StringLike", sub.replace("main", "*")), {}, "accepted"],
  ["StringLike: * is also no character", operators, onSub("StringLike", `${sub}*`), {}, "accepted"],
  ["StringLike: * runs over slashes", operators, onSub("StringLike", sub.replace("heads/main", "*")), {}, "accepted"],
  ["StringLike: ? is one character", operators, onSub("StringLike", sub.replace("main", "mai?")), {}, "accepted"],
  ["StringLike: ? is not none", operators, onSub("StringLike", `${sub}?`), {}, "refused"],
  ["StringLike looks at case", operators, onSub("StringLike", sub.replace("main", "M*")), {}, "refused"],
  ["StringLike is anchored at the end", operators, onSub("StringLike", "org:acme*:ref:refs/heads"), {}, "refused"],
  ["StringLike is anchored at the beginning", operators, onSub("StringLike", "acme*"), {}, "refused"],
  [
    "StringLike: several wildcards",
    operators,
    onSub("StringLike", "org:*:project:*:ref:refs/heads/ma?n"),
    {},
    "accepted",
  ],
  ["StringNotEquals is met by another value", operators, onSub("StringNotEquals", "other"), {}, "accepted"],
  ["StringNotEquals is not met by the value", operators, onSub("StringNotEquals", sub), {}, "refused"],
  [
    "StringNotEquals of two values is met by neither alone",
    logic,
    onSub("StringNotEquals", ["other", sub]),
    {},
    "refused",
  ],
  ["StringNotLike is not met where the pattern fits", operators, onSub("StringNotLike", "org:acme:*"), {}, "refused"],
  ["StringNotLike is met where it does not", operators, onSub("StringNotLike", "org:other:*"), {}, "accepted"],
  [
    "StringNotEqualsIgnoreCase does not look at case",
    operators,
    onSub("StringNotEqualsIgnoreCase", sub.toUpperCase()),
    {},
    "refused",
  ],
  ["values of one key are joined by or", logic, onSub("StringEquals", ["other", sub]), {}, "accepted"],
  ["no value fits", logic, onSub("StringEquals", ["other", "another"]), {}, "refused"],
  [
    "keys of one operator are joined by and",
    logic,
    allow({
      StringEquals: {
        [`${host}:aud`]: "x",
        [`${host}:sub`]: sub,
      },
    }),
    {},
    "refused",
  ],
  [
    "operators are joined by and",
    logic,
    allow(
      also({
        StringEquals: { [`${host}:sub`]: sub },
        StringLike: { [`${host}:sub`]: "no*" },
      }),
    ),
    {},
    "refused",
  ],
  [
    "a positive operator is not met by a missing key",
    operators,
    allow(also({ StringEquals: { [`${host}:amr`]: "x" } })),
    {},
    "refused",
  ],
  [
    "a negated operator is met by a missing key",
    operators,
    allow(also({ StringNotEquals: { [`${host}:amr`]: "x" } })),
    {},
    "accepted",
  ],
  [
    "IfExists is met by a missing key",
    operators,
    allow(also({ StringEqualsIfExists: { [`${host}:amr`]: "x" } })),
    {},
    "accepted",
  ],
  ["IfExists compares a key that is there", operators, onSub("StringEqualsIfExists", "other"), {}, "refused"],
  ["StringLikeIfExists compares too", operators, onSub("StringLikeIfExists", "org:acme:*"), {}, "accepted"],
  ["Null true is met by a missing key", operators, allow(also({ Null: { [`${host}:amr`]: "true" } })), {}, "accepted"],
  [
    "Null false is not met by a missing key",
    operators,
    allow(also({ Null: { [`${host}:amr`]: "false" } })),
    {},
    "refused",
  ],
  [
    "Null false is met by a key that is there",
    operators,
    allow(also({ Null: { [`${host}:sub`]: false } })),
    {},
    "accepted",
  ],
  [
    "Null true is not met by a key that is there",
    operators,
    allow(also({ Null: { [`${host}:sub`]: "true" } })),
    {},
    "refused",
  ],
  [
    "ForAllValues is met by a missing key",
    sets,
    allow(also({ "ForAllValues:StringEquals": { [`${host}:amr`]: "x" } })),
    {},
    "accepted",
  ],
  [
    "ForAllValues: every value must fit",
    sets,
    allow(also({ "ForAllValues:StringEquals": { [`${host}:amr`]: ["a", "b"] } })),
    { amr: ["a", "c"] },
    "refused",
  ],
  [
    "ForAllValues: every value fits",
    sets,
    allow(also({ "ForAllValues:StringEquals": { [`${host}:amr`]: ["a", "b", "c"] } })),
    { amr: ["a", "c"] },
    "accepted",
  ],
  [
    "ForAnyValue: one value is enough",
    sets,
    allow(also({ "ForAnyValue:StringEquals": { [`${host}:amr`]: ["b", "c"] } })),
    { amr: ["a", "c"] },
    "accepted",
  ],
  [
    "ForAnyValue: none fits",
    sets,
    allow(also({ "ForAnyValue:StringEquals": { [`${host}:amr`]: "b" } })),
    { amr: ["a", "c"] },
    "refused",
  ],
  [
    "ForAnyValue is not met by a missing key",
    sets,
    allow(also({ "ForAnyValue:StringEquals": { [`${host}:amr`]: "x" } })),
    {},
    "refused",
  ],
  [
    "ForAnyValue:StringLike",
    sets,
    allow(also({ "ForAnyValue:StringLike": { [`${host}:amr`]: "c*" } })),
    { amr: ["a", "cd"] },
    "accepted",
  ],
  [
    "ForAllValues:StringNotEquals: no value may be named",
    sets,
    allow(also({ "ForAllValues:StringNotEquals": { [`${host}:amr`]: "a" } })),
    { amr: ["a", "c"] },
    "refused",
  ],
  [
    "several values without a set operator are not defined",
    sets,
    allow(also({ StringEquals: { [`${host}:amr`]: "a" } })),
    { amr: ["a", "c"] },
    "unknown",
  ],
  [
    "branch is no key of a private issuer",
    keys,
    allow(also({ StringEquals: { [`${host}:branch`]: "main" } })),
    {},
    "refused",
  ],
  ["ref is none either", keys, allow(also({ StringLike: { [`${host}:ref`]: "*" } })), {}, "refused"],
  [
    "keys of another issuer are missing",
    keys,
    allow(also({ StringEquals: { "token.actions.githubusercontent.com:sub": sub } })),
    {},
    "refused",
  ],
  [
    "key names are compared without case",
    operators,
    allow({
      StringEquals: {
        "CI.example.com:AUD": "the-cloud",
        "ci.example.com:Sub": sub,
      },
    }),
    {},
    "accepted",
  ],
  ["another audience is refused", keys, onSub("StringEquals", sub), { aud: "https://ci.example.com" }, "refused"],
  [
    "with azp, aud is azp",
    keys,
    onSub("StringEquals", sub),
    {
      azp: "client",
      aud: "the-cloud",
    },
    "refused",
  ],
  [
    "with azp, oaud is the aud claim",
    keys,
    allow({
      StringEquals: {
        [`${host}:aud`]: "client",
        [`${host}:oaud`]: "the-cloud",
      },
    }),
    { azp: "client" },
    "accepted",
  ],
  ["another provider is refused", principal, allow(aud, { Principal: { Federated: `${arn}.evil` } }), {}, "refused"],
  [
    "a provider of another case is refused",
    principal,
    allow(aud, { Principal: { Federated: arn.replace("ci.", "CI.") } }),
    {},
    "refused",
  ],
  [
    "a provider with a slash at the end is refused",
    principal,
    allow(aud, { Principal: { Federated: `${arn}/` } }),
    {},
    "refused",
  ],
  [
    "one of several providers is enough",
    principal,
    allow(aud, { Principal: { Federated: ["accounts.google.com", arn] } }),
    {},
    "accepted",
  ],
  [
    "China's partition has ARNs of its own",
    principal,
    allow(aud, { Principal: { Federated: arn.replace("arn:aws:", "arn:aws-cn:") } }),
    {},
    "accepted",
  ],
  [
    "a SAML provider is none",
    principal,
    allow(aud, { Principal: { Federated: arn.replace("oidc-", "saml-") } }),
    {},
    "refused",
  ],
  [
    "an account is no federated principal",
    principal,
    allow(aud, { Principal: { AWS: "111122223333" } }),
    {},
    "refused",
  ],
  ["everybody allowed is not decided here", principal, allow(aud, { Principal: "*" }), {}, "unknown"],
  [
    "NotPrincipal is not decided here",
    principal,
    allow(aud, {
      Principal: undefined,
      NotPrincipal: { AWS: "*" },
    }),
    {},
    "unknown",
  ],
  ["another action allows nothing", actions, allow(aud, { Action: "sts:AssumeRole" }), {}, "refused"],
  ["an action may have wildcards", actions, allow(aud, { Action: "sts:AssumeRole*" }), {}, "accepted"],
  [
    "actions are compared without case",
    actions,
    allow(aud, { Action: "STS:assumerolewithwebidentity" }),
    {},
    "accepted",
  ],
  [
    "NotAction allows what it does not name",
    actions,
    allow(aud, {
      Action: undefined,
      NotAction: "sts:AssumeRole",
    }),
    {},
    "accepted",
  ],
  [
    "nothing is allowed by default",
    evaluation,
    {
      Version: "2012-10-17",
      Statement: [],
    },
    {},
    "refused",
  ],
  ["a Deny wins", evaluation, deny({ StringLike: { [`${host}:sub`]: "org:acme:*" } }), {}, "refused"],
  [
    "a Deny that does not fit changes nothing",
    evaluation,
    deny({ StringLike: { [`${host}:sub`]: "*:ref:refs/tags/*" } }),
    {},
    "accepted",
  ],
  [
    "a Deny that cannot be told makes the answer unknown",
    evaluation,
    deny({ NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } }),
    {},
    "unknown",
  ],
  [
    "a Deny with a negated operator fits what is missing",
    evaluation,
    deny({ StringNotEquals: { [`${host}:amr`]: "x" } }),
    {},
    "refused",
  ],
  ["a Deny of another action changes nothing", evaluation, deny({}, { Action: "sts:TagSession" }), {}, "accepted"],
  [
    "the second statement may allow",
    evaluation,
    {
      Version: "2012-10-17",
      Statement: [...onSub("StringEquals", "other").Statement, ...onSub("StringEquals", sub).Statement],
    },
    {},
    "accepted",
  ],
  [
    "conditions of two statements are not added up",
    evaluation,
    {
      Version: "2012-10-17",
      Statement: [
        ...onSub("StringEquals", "x").Statement,
        ...allow({ StringEquals: { [`${host}:aud`]: "x" } }).Statement,
      ],
    },
    {},
    "refused",
  ],
  ["tags need sts:TagSession", tags, onSub("StringEquals", sub), withTags({ ref: ["refs/heads/main"] }), "refused"],
  ["tags with sts:TagSession", tags, allow(aud, tagged), withTags({ ref: ["refs/heads/main"] }), "accepted"],
  [
    "RequestTag compares a tag",
    tags,
    allow(also({ StringEquals: { "aws:RequestTag/ref_type": "branch" } }), tagged),
    withTags({ ref_type: ["branch"] }),
    "accepted",
  ],
  [
    "RequestTag of another value",
    tags,
    allow(also({ StringEquals: { "aws:RequestTag/ref_type": "branch" } }), tagged),
    withTags({ ref_type: ["pr"] }),
    "refused",
  ],
  [
    "RequestTag without tags is missing",
    tags,
    allow(also({ StringEquals: { "aws:RequestTag/ref_type": "branch" } }), tagged),
    {},
    "refused",
  ],
  [
    "TagKeys is a set",
    tags,
    allow(also({ "ForAllValues:StringEquals": { "aws:TagKeys": ["ref", "ref_type"] } }), tagged),
    withTags({ ref: ["x"] }),
    "accepted",
  ],
  [
    "TagKeys with a key too many",
    tags,
    allow(also({ "ForAllValues:StringEquals": { "aws:TagKeys": ["ref"] } }), tagged),
    withTags({
      ref: ["x"],
      pr: ["y"],
    }),
    "refused",
  ],
  [
    "a tag value outside the alphabet is refused",
    tags,
    allow(aud, tagged),
    withTags({ ref: ["refs/heads/a#b"] }),
    "refused",
  ],
  [
    "a policy variable is the key's value",
    variables,
    allow(also({ StringLike: { [`${host}:sub`]: `*:ref:\${aws:RequestTag/ref}` } }), tagged),
    withTags({ ref: ["refs/heads/main"] }),
    "accepted",
  ],
  [`\${*} is a literal asterisk`, variables, onSub("StringLike", sub.replace("main", `\${*}`)), {}, "refused"],
  [
    `\${$} is a literal dollar`,
    variables,
    onSub("StringEquals", sub.replace("main", `\${$}{x}`)),
    { sub: sub.replace("main", `\${x}`) },
    "accepted",
  ],
  [
    "the old version knows no variables",
    variables,
    {
      ...onSub("StringEquals", sub.replace("main", `\${x}`)),
      Version: "2008-10-17",
    },
    { sub: sub.replace("main", `\${x}`) },
    "accepted",
  ],
  [
    "a variable of the request to come is not known",
    variables,
    onSub("StringEquals", `\${aws:SourceIp}`),
    {},
    "unknown",
  ],
  [
    "a key of the request to come is not known",
    keys,
    allow(also({ IpAddress: { "aws:SourceIp": "10.0.0.0/8" } })),
    {},
    "unknown",
  ],
  [
    "the session's name is not known",
    keys,
    allow(also({ StringLike: { "sts:RoleSessionName": "job-*" } })),
    {},
    "unknown",
  ],
  ["a web identity has no external id", sts, allow(also({ StringEquals: { "sts:ExternalId": "x" } })), {}, "refused"],
  ["an operator that IAM does not have is not evaluated", operators, onSub("StringMatches", sub), {}, "unknown"],
  [
    "Bool on SecureTransport: STS is asked by TLS",
    operators,
    allow(also({ Bool: { "aws:SecureTransport": "true" } })),
    {},
    "accepted",
  ],
  [
    "DateLessThan looks at the time",
    operators,
    allow(also({ DateLessThan: { "aws:CurrentTime": "2020-01-01T00:00:00Z" } })),
    {},
    "refused",
  ],
  [
    "DateGreaterThan looks at the time",
    operators,
    allow(also({ DateGreaterThan: { "aws:CurrentTime": "2020-01-01T00:00:00Z" } })),
    {},
    "accepted",
  ],
  ["a token is taken for five minutes after exp", sts, onSub("StringEquals", sub), { exp: now - 299 }, "accepted"],
  ["and no longer", sts, onSub("StringEquals", sub), { exp: now - 300 }, "refused"],
  ["a token without sub is refused", sts, allow(aud), { sub: undefined }, "refused"],
  [
    "an issuer with a port is no provider",
    provider,
    allow({ StringEquals: { "ci.example.com:8443:aud": "the-cloud" } }, { Principal: { Federated: `${arn}:8443` } }),
    { iss: `${issuer}:8443` },
    "refused",
  ],
  ["an issuer that is not https is no provider", provider, allow(aud), { iss: "http://ci.example.com" }, "refused"],
  [
    "the answer of aws iam get-role is read too",
    sts,
    {
      Role: {
        RoleName: "r",
        AssumeRolePolicyDocument: onSub("StringEquals", sub),
      },
    },
    {},
    "accepted",
  ],
];
it("has sixty cases and more", () => expect(cases.length).toBeGreaterThanOrEqual(60));
it.each(cases)("%s (%s)", (_says, _document, policy, token, verdict) => {
  expect(verdictOf("aws", policy, token)).toBe(verdict);
});
