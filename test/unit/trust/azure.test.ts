/** Microsoft Entra, case by case: what its documents say of federated identity credentials and a token. */
import { expect, it } from "vitest";
import { type Case, issuer, now, orgId, projectId, sub, verdictOf } from "./tokens.ts";

const matching = "Microsoft Entra, Workload identity federation: issuer, subject and audience must match, by case";
const limits = "Microsoft Entra, Considerations and restrictions: 600 characters, exactly one audience";
const flexible = "Microsoft Entra, Flexible federated identity credentials (preview)";
const graph = "Microsoft Graph, federatedIdentityCredential";
const errors = "Microsoft Entra, Error codes: AADSTS700024, AADSTS70021, AADSTS700213";

const idSub = `org_id:${orgId}:prj_id:${projectId}`;
const audience = "api://AzureADTokenExchange";
const id = { sub: idSub, aud: audience };
const whole = { sub, aud: audience };

const credential = (over: Record<string, unknown> = {}) => ({
  name: "signalbox",
  issuer,
  subject: idSub,
  audiences: [audience],
  ...over,
});
const subject = (text: string) => credential({ subject: text });
const at = (url: string) => credential({ issuer: url });
const heard = (...audiences: string[]) => credential({ audiences });
const others = (count: number) =>
  Array.from({ length: count }, (_, index) => credential({ name: `c${index}`, subject: `${sub}${index}` }));
const long = "x".repeat(601);

const cases: Case<unknown>[] = [
  ["issuer, subject and audience fit", matching, credential(), id, "accepted"],
  ["the id form is the same for every ref", matching, credential(), { ...id, ref: "refs/heads/x" }, "accepted"],
  ["the id form of another project", matching, credential(), { ...id, sub: idSub.replace(/1$/, "9") }, "refused"],
  [
    "the id form of another organization",
    matching,
    credential(),
    { ...id, sub: idSub.replace(orgId, projectId) },
    "refused",
  ],
  ["the id form shortened", matching, credential(), { ...id, sub: idSub.slice(0, -1) }, "refused"],
  ["the id form lengthened", matching, credential(), { ...id, sub: `${idSub}x` }, "refused"],
  ["the usual form against the id form", matching, credential(), whole, "refused"],
  ["the id form against the usual form", matching, subject(sub), id, "refused"],
  ["the usual form whole", matching, subject(sub), whole, "accepted"],
  [
    "the usual form of another branch",
    matching,
    subject(sub),
    { ...whole, sub: sub.replace("main", "dev") },
    "refused",
  ],
  ["the usual form of a look-alike branch", matching, subject(sub), { ...whole, sub: `${sub}-x` }, "refused"],
  [
    "the usual form of a pull request",
    matching,
    subject(sub),
    { ...whole, sub: sub.replace("branch:ref:refs/heads/main", "pr:ref:refs/pull/1/merge") },
    "refused",
  ],
  [
    "the usual form of a tag named alike",
    matching,
    subject(sub),
    { ...whole, sub: sub.replace("branch:ref:refs/heads", "tag:ref:refs/tags") },
    "refused",
  ],
  [
    "the usual form of a fork",
    matching,
    subject(sub),
    { ...whole, sub: sub.replace("ref_type:branch", "ref_type:fork") },
    "refused",
  ],
  [
    "the usual form of another repository",
    matching,
    subject(sub),
    { ...whole, sub: sub.replace("repo:web", "repo:web2") },
    "refused",
  ],
  ["the subject's case counts", matching, subject(sub.toUpperCase()), whole, "refused"],
  ["the subject's case counts in one letter", matching, subject(sub.replace("main", "Main")), whole, "refused"],
  ["a star is literal", matching, subject(sub.replace("main", "*")), whole, "refused"],
  ["a star at the end is literal", matching, subject(`${sub}*`), whole, "refused"],
  ["a question mark is literal", matching, subject(sub.replace("main", "mai?")), whole, "refused"],
  ["a star alone is literal", matching, subject("*"), whole, "refused"],
  ["a blank at the end counts", matching, subject(`${sub} `), whole, "refused"],
  ["a blank at the beginning counts", matching, subject(` ${sub}`), whole, "refused"],
  ["an empty subject", matching, subject(""), whole, "refused"],
  ["a subject in another's form", matching, subject("repo:acme/web:ref:refs/heads/main"), whole, "refused"],
  [
    "a cut subject whole",
    matching,
    subject(`${sub}~abcdefghijklmnopqrstuvwxyz`),
    { ...whole, sub: `${sub}~abcdefghijklmnopqrstuvwxyz` },
    "accepted",
  ],
  [
    "a cut subject without its hash",
    matching,
    subject(sub),
    { ...whole, sub: `${sub}~abcdefghijklmnopqrstuvwxyz` },
    "refused",
  ],
  [
    "sub127 whole",
    matching,
    subject("acme:p:web:br:heads/main"),
    { ...id, sub: "acme:p:web:br:heads/main" },
    "accepted",
  ],
  ["a token without sub", matching, credential(), { ...id, sub: undefined }, "refused"],
  ["a sub that is no text", matching, credential({ subject: "1" }), { ...id, sub: 1 }, "refused"],
  ["another issuer", matching, at("https://x.example.com"), id, "refused"],
  ["an issuer with a slash at the end", matching, at(`${issuer}/`), id, "refused"],
  ["an issuer of another case", matching, at("https://CI.example.com"), id, "refused"],
  ["an issuer by http", matching, at("http://ci.example.com"), id, "refused"],
  ["an issuer with a path", matching, at(`${issuer}/x`), id, "refused"],
  ["an issuer with a port", matching, at(`${issuer}:443`), id, "refused"],
  ["an issuer without its scheme", matching, at("ci.example.com"), id, "refused"],
  ["a look-alike issuer", matching, at(`${issuer}.evil.example`), id, "refused"],
  ["a token without iss", matching, credential(), { ...id, iss: undefined }, "refused"],
  ["another audience in the token", matching, credential(), { ...id, aud: issuer }, "refused"],
  ["another audience in the credential", matching, heard("x"), id, "refused"],
  ["the audience's case counts", matching, heard(audience.toLowerCase()), id, "refused"],
  ["an audience of one's own on both sides", matching, heard("mine"), { ...id, aud: "mine" }, "accepted"],
  [
    "the government cloud's audience",
    matching,
    heard(`${audience}USGov`),
    { ...id, aud: `${audience}USGov` },
    "accepted",
  ],
  ["a token without aud", matching, credential(), { ...id, aud: undefined }, "refused"],
  ["a token of two audiences", limits, credential(), { ...id, aud: [audience, "x"] }, "refused"],
  ["a token's audience as a list of one", limits, credential(), { ...id, aud: [audience] }, "accepted"],
  ["a credential of two audiences", limits, heard(audience, "x"), id, "refused"],
  ["a credential of no audience", limits, heard(), id, "refused"],
  ["a subject of 600 characters", limits, subject("x".repeat(600)), { ...id, sub: "x".repeat(600) }, "accepted"],
  ["a subject of 601 characters", limits, subject(long), { ...id, sub: long }, "refused"],
  ["an audience of 601 characters", limits, heard(long), { ...id, aud: long }, "refused"],
  ["one of several credentials", graph, [...others(3), credential()], id, "accepted"],
  ["none of several credentials", graph, others(3), id, "refused"],
  ["parts of two credentials are not put together", graph, [at("https://x.example.com"), subject("x")], id, "refused"],
  ["audience and subject of different credentials", graph, [heard("x"), subject("x")], id, "refused"],
  ["Graph's list", graph, { value: [credential()] }, id, "accepted"],
  ["twenty credentials", limits, [...others(19), credential()], id, "accepted"],
  [
    "a flexible credential is not decided",
    flexible,
    credential({
      subject: null,
      claimsMatchingExpression: { value: "claims['sub'] matches 'org:*'", languageVersion: 1 },
    }),
    id,
    "unknown",
  ],
  [
    "a flexible credential of another issuer is refused",
    flexible,
    credential({
      issuer: "https://x.example.com",
      subject: null,
      claimsMatchingExpression: { value: "x", languageVersion: 1 },
    }),
    id,
    "refused",
  ],
  [
    "a flexible credential beside one that fits",
    flexible,
    [credential(), credential({ subject: null, claimsMatchingExpression: { value: "x", languageVersion: 1 } })],
    id,
    "accepted",
  ],
  ["an expression that is null is none", flexible, credential({ claimsMatchingExpression: null }), id, "accepted"],
  ["a token that expires this second", errors, credential(), { ...id, exp: now }, "refused"],
  ["a token with a second left", errors, credential(), { ...id, exp: now + 1 }, "accepted"],
  ["a token that begins later", errors, credential(), { ...id, nbf: now + 60 }, "refused"],
  ["a token without exp", errors, credential(), { ...id, exp: undefined }, "refused"],
  [
    "what Azure prints beside is not looked at",
    graph,
    credential({ id: "x", type: "Microsoft.ManagedIdentity", description: null }),
    id,
    "accepted",
  ],
];

it("has sixty cases and more", () => expect(cases.length).toBeGreaterThanOrEqual(60));

it.each(cases)("%s (%s)", (_says, _document, policy, given, verdict) => {
  expect(verdictOf("azure", policy, given)).toBe(verdict);
});
