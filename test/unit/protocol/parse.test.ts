/** What does not fit is named where it stands, in words that say what may stand there. */
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { Secret } from "../../../src/protocol/access-keys.ts";
import { Command } from "../../../src/protocol/jobs.ts";
import { Page } from "../../../src/protocol/list.ts";
import { parse } from "../../../src/protocol/parse.ts";
import { TrustExplainRequest, TrustGenerateRequest } from "../../../src/protocol/trust.ts";

function misfitsOf(schema: z.ZodType, value: unknown): string[] {
  const parsed = parse(schema, value);
  return parsed.success ? [] : parsed.misfits.map(({ path, detail }) => `${path.join(".")}: ${detail}`);
}
const one = (schema: z.ZodType, value: unknown) => misfitsOf(schema, value).join("; ").replace(/^: /, "");

test("what fits is given as the schema makes it", () => {
  expect(parse(z.string().transform(Number), "5")).toEqual({ success: true, data: 5 });
});

describe("a value of another kind", () => {
  test.each<[z.ZodType, unknown, string]>([
    [z.string(), 5, "must be text, not a number"],
    [z.string(), null, "must be text, not null"],
    [z.string(), ["x"], "must be text, not a list"],
    [z.array(z.string()), "x", "must be a list, not text"],
    [z.object({}), [], "must be an object, not a list"],
    [z.record(z.string(), z.string()), true, "must be an object, not true or false"],
    [z.boolean(), "yes", "must be true or false, not text"],
    [z.int(), 1.5, "must be a whole number"],
    [z.int(), "1", "must be a number, not text"],
    [Page.shape.limit, "0x10", "must be a number"],
    [z.enum(["pr", "pull-request"]), "x", 'must be "pr" or "pull-request"'],
    [z.literal("none").optional(), 5, 'must be "none"'],
    [z.base64(), "?", "must be base64"],
    [z.iso.datetime({ offset: true }), "yesterday", "must be a time such as 2026-01-31T12:00:00Z"],
  ])("%#: is told what it must be", (schema, value, words) => expect(one(schema, value)).toBe(words));

  test("keeps the words that the schema has for it", () => {
    expect(one(z.string("must be a name"), 5)).toBe("must be a name");
  });
});

describe("a value beyond a bound", () => {
  test.each<[z.ZodType, unknown, string]>([
    [z.string().min(1), "", "must have at least 1 character"],
    [z.string().max(64), "x".repeat(65), "must have at most 64 characters"],
    [z.string().length(2), "x", "must have exactly 2 characters"],
    [z.array(z.int()).min(1), [], "must have at least 1 item"],
    [z.array(z.int()).max(2), [1, 2, 3], "must have at most 2 items"],
    [z.int().min(1), 0, "must be at least 1"],
    [z.int().max(1000), 1001, "must be at most 1000"],
    [z.int().positive(), 0, "must be more than 0"],
    [z.number().lt(1), 1, "must be less than 1"],
    [Page.shape.limit, "0", "must be at least 1"],
    [z.string().min(1, "is empty"), "", "is empty"],
    [z.union([z.literal("all"), z.array(z.string()).min(1)]), [], "must have at least 1 item"],
  ])("%#: is told the bound", (schema, value, words) => expect(one(schema, value)).toBe(words));
});

test("a name that a record may not have is refused by where it stands", () => {
  expect(misfitsOf(z.partialRecord(z.enum(["a", "b"]), z.string()), { c: "x" })).toEqual(["c: is not known here"]);
  expect(misfitsOf(z.record(z.string().max(2), z.string()), { long: "x" })).toEqual([
    "long: its name must have at most 2 characters",
  ]);
});

test("what is missing is said to be, and what it must be", () => {
  const schema = z.object({ name: z.string(), kind: z.enum(["a", "b", "c"]), to: z.union([z.string(), z.null()]) });
  expect(misfitsOf(schema, {})).toEqual([
    "name: is missing; it must be text",
    'kind: is missing; it must be "a", "b" or "c"',
    "to: is missing; it must be text or null",
  ]);
});

test("each member that nobody knows is named where it stands", () => {
  expect(misfitsOf(z.strictObject({ a: z.strictObject({}) }), { a: { b: 1, c: 2 } })).toEqual([
    "a.b: is not known here",
    "a.c: is not known here",
  ]);
});

describe("of a choice between forms", () => {
  test.each<[z.ZodType, unknown, string]>([
    [z.union([z.literal("*"), z.array(z.string())]), 5, 'must be "*" or a list, not a number'],
    [z.union([z.string(), z.array(z.string())]), ["a", 5], "1: must be text, not a number"],
    [Command, 5, "must be shell text, or an object of directive and alias"],
    [Command, { directive: 5 }, "directive: must be text, not a number"],
    [Command, { directive: "x", alais: "y" }, "alais: is not known here"],
    [Secret, { type: "token" }, 'type: must be "ssh", "login_password", "string" or "none"'],
  ])("%#: the one that was meant is told, or else what may stand there", (schema, value, words) =>
    expect(one(schema, value)).toBe(words),
  );

  const token = (given: unknown) => one(TrustExplainRequest.pick({ token: true }), { token: given });
  const forms = "token: must be an object that holds jwt, or job_id, or project_id and ref";
  test.each<[string, unknown, string]>([
    ["none", undefined, forms],
    ["text", "eyJ", forms],
    ["nothing in it", {}, forms],
    ["two at once", { jwt: "x", job_id: "0198d3a0-0000-7000-8000-000000000001" }, forms],
    ["a jwt that is no text", { jwt: 5 }, "token.jwt: must be text, not a number"],
    ["a job that is no text", { job_id: 5 }, "token.job_id: must be text, not a number"],
    ["a job by a malformed id", { job_id: "x" }, "token.job_id: must be a UUID in lower case"],
    ["a slip in a member", { jwt: "x", audeince: "y" }, "token.audeince: is not known here"],
    ["a ref without its project", { ref: "refs/heads/main" }, "token.project_id: is missing; it must be text"],
  ])("a token to explain: %s", (_says, given, words) => expect(token(given)).toBe(words));

  const refs = "must be a full ref such as refs/heads/main, or a prefix that ends in /**";
  test.each<[unknown, string]>([
    ["main", refs],
    [5, refs],
    [null, refs],
    ["refs/heads/*", refs],
    ["heads/**", refs],
    ["refs/heads/v**", "must end in /**: a prefix that ends within a name fits look-alikes"],
    ["refs/heads/a..b/**", "must be a prefix that a git ref can have"],
  ])("a ref to trust: %j", (ref, words) => {
    expect(one(TrustGenerateRequest.pick({ refs: true }), { refs: [ref] })).toBe(`refs.0: ${words}`);
  });
});

test("no value is quoted, of whatever kind", () => {
  const canary = "c4nary";
  const everything = z.strictObject({
    kind: z.enum(["a"]),
    either: z.union([z.int(), z.array(z.int())]),
    time: z.iso.datetime(),
    form: z.discriminatedUnion("type", [z.object({ type: z.literal("a") })]),
  });
  const given = { kind: canary, either: [canary], time: canary, form: { type: canary } };
  expect(misfitsOf(everything, given)).toHaveLength(4);
  expect(misfitsOf(everything, given).join()).not.toContain(canary);
});
