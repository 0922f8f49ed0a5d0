/** What policies within 64 KiB cost, counted in steps and calls: nothing is quadratic, and what is costly is unknown. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/protocol/limits.ts";
import type { TokenClaims } from "../../../src/protocol/trust.ts";
import { like } from "../../../src/trust/aws/like.ts";
import { resolveVariables } from "../../../src/trust/aws/operators.ts";
import { Effort } from "../../../src/trust/effort.ts";
import { explainTrust, lintTrust, readTrust } from "../../../src/trust/trust.ts";
import { callsDuring } from "./steps.ts";
import { claims, now } from "./tokens.ts";

const list = <Item>(length: number, item: (at: number) => Item) => Array.from({ length }, (_, at) => item(at));

describe("a document of many keys", () => {
  const block = (keys: number) => `bound_claims:\n${list(keys, (at) => ` k${at}:`).join("\n")}`;
  const flow = (keys: number) => `{${list(keys, (at) => `k${at}`).join(",")}}`;

  it.each([block, flow])("takes four times the calls for four times the keys, in form %#", (form) => {
    lintTrust("vault", form(10));
    const [some, many] = [3000, 12_000].map((keys) => callsDuring(() => lintTrust("vault", form(keys))));
    expect(many ?? 0).toBeGreaterThan(12_000);
    expect((many ?? 0) / (some ?? 1)).toBeLessThan(5);
  });

  it("has each once, and says where one stands twice", () => {
    expect(() => lintTrust("vault", `${block(12_000)}\n k7:`)).toThrow(
      /^line 12002, column 2: the field "k7" stands twice/,
    );
    expect(() => lintTrust("vault", `a: &a x\nb: [${"*a, ".repeat(101)}]`)).toThrow(/^line 2, column 405: an alias/);
  });
});

describe("StringLike", () => {
  it("fits what a regular expression of the same meaning fits", () => {
    const text = fc.stringMatching(/^[ab*]{0,12}$/);
    const pattern = fc.stringMatching(/^[ab*?]{0,8}$/);
    fc.assert(
      fc.property(text, pattern, (value, wanted) => {
        const meant = wanted.replaceAll("*", "[^]*").replaceAll("?", "[^]");
        expect(like(value, wanted)).toBe(new RegExp(`^${meant}$`).test(value));
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ["many stars", `${"*a".repeat(2000)}b`, "a".repeat(10_000)],
    ["stars alone", "*".repeat(5000), "a".repeat(10_000)],
    ["a piece that nearly fits everywhere", `*${"a".repeat(3000)}b*`, "a".repeat(10_000)],
    ["a piece with borders", `*${"ab".repeat(1500)}c*`, "ab".repeat(5000)],
    ["pieces of two, many times", `${"*ab".repeat(1500)}*c*`, "aab".repeat(3000)],
    ["surrogate pairs", `${"*😀".repeat(1000)}b`, "😀".repeat(5000)],
  ])("is linear in pattern and value: %s", (_says, pattern, value) => {
    const effort = new Effort(Number.POSITIVE_INFINITY);
    like(value, pattern, effort);
    expect(effort.steps).toBeLessThan(4 * (value.length + pattern.length));
  });
});

const statement = (Condition: unknown) => ({
  Effect: "Allow",
  Principal: { Federated: "arn:aws:iam::111122223333:oidc-provider/ci.example.com" },
  Action: "*",
  Condition,
});
const aws = (...Statement: unknown[]) => JSON.stringify({ Version: "2012-10-17", Statement });
const onSub = (operator: string, value: unknown) => statement({ [operator]: { "ci.example.com:sub": value } });
const kubernetes = (...expressions: string[]) =>
  JSON.stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    jwt: [
      {
        issuer: { url: claims.iss, audiences: ["the-cloud"] },
        claimValidationRules: expressions.map((expression) => ({ expression })),
        claimMappings: { username: { claim: "sub", prefix: "x:" } },
      },
    ],
  });

describe("a whole policy", () => {
  const long = { ...claims, sub: "a".repeat(19_000) };

  it("of many statements and stars is linear too: each value is gone through once for each condition", () => {
    const effort = new Effort(Number.POSITIVE_INFINITY);
    const text = aws(...list(150, () => onSub("StringLike", `${"*a".repeat(110)}b`)));
    expect(readTrust("aws", text)(long, now, effort).verdict).toBe("refused");
    expect(effort.steps).toBeLessThan(150 * 4 * (19_000 + 220));
  });

  it.each<readonly [string, string, TokenClaims]>([
    ["question marks in pieces", aws(...list(100, () => onSub("StringLike", `*${"a?".repeat(200)}b*`))), long],
    [
      "values times values",
      aws(
        statement({
          "ForAnyValue:StringEquals": { "ci.example.com:amr": list(4000, (at) => `v${at}`) },
        }),
      ),
      { ...claims, amr: list(2000, (at) => `w${at}`) },
    ],
    ["variables that stand for long texts", aws(onSub("StringEquals", variables(2900))), long],
  ])("that would take more is unknown: %s", (_says, text, token) => {
    const effort = new Effort();
    expect(readTrust("aws", text)(token, now, effort).verdict).toBe("unknown");
    expect(effort.steps).toBeLessThanOrEqual(limits.trustSteps);
  });

  it.each<readonly [string, string, TokenClaims]>([
    [
      "comprehensions over long lists",
      kubernetes(...list(60, () => `claims.list.all(x, ${list(40, () => "x == 'x'").join(" && ")})`)),
      { ...claims, list: list(5000, () => "x") },
    ],
    [
      "patterns that go back",
      kubernetes(...list(60, () => list(15, () => "claims.text.matches('^a*a*$')").join(" || "))),
      { ...claims, text: `${"a".repeat(2000)}!` },
    ],
    [
      "lists that are made",
      kubernetes("claims.text.split('').all(x, x == 'a')"),
      { ...claims, text: "a".repeat(9000) },
    ],
    [
      "texts that double",
      kubernetes(
        `${list(20, (at) => `cel.bind(x${at + 1}, x${at} + x${at}, `)
          .join("")
          .replaceAll("x0", "claims.sub")}size(x20) > 1${")".repeat(20)}`,
      ),
      claims,
    ],
    [
      "texts that are put together",
      kubernetes(...list(40, () => `${list(900, () => "claims.sub").join(" + ")} == 'a'`)),
      long,
    ],
  ])("in CEL that would take more is unknown: %s", (_says, text, token) => {
    const effort = new Effort();
    expect(readTrust("kubernetes", text)(token, now, effort).verdict).toBe("unknown");
  });

  it("of globs that would take more is unknown, for Vault", () => {
    const globs = list(20, (at) => [`/list/${at}`, [...list(100, () => `*${"a".repeat(20)}b*`), "*"]]);
    const role = { user_claim: "prj_id", bound_audiences: ["the-cloud"], bound_claims_type: "glob" };
    const text = JSON.stringify({ ...role, bound_claims: Object.fromEntries(globs) });
    const token = { ...claims, list: list(20, () => list(100, () => "a".repeat(60))) };
    expect(explainTrust("vault", text, token, now).verdict).toBe("unknown");
  });

  it("is answered in bounded size, however often a long claim is compared", () => {
    const text = aws(...list(300, () => onSub("StringEquals", "x")));
    expect(JSON.stringify(explainTrust("aws", text, long, now)).length).toBeLessThan(2_000_000);
  });
});

function variables(count: number): string {
  return ["$", "{ci.example.com:sub}"].join("").repeat(count);
}

it("variables that nothing closes are passed over once, not looked for from each", () => {
  const open = ["$", "{"].join("").repeat(30_000);
  expect(resolveVariables(open, () => null)).toBe(open);
  expect(callsDuring(() => resolveVariables(`${open}x}`, () => ["y"]))).toBeLessThan(100);
});
