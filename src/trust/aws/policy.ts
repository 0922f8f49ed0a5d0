/**
 * An IAM role's trust policy (IAM User Guide, "Grammar of the IAM JSON policy language"), as pasted: the document
 * alone, or what `aws iam get-role` prints around it.
 */
import * as z from "zod";
import { parse } from "../../protocol/parse.ts";
import { parseJsonText } from "../json-text.ts";
import { PolicyError } from "../policy-error.ts";

const oneOrMore = <Item extends z.ZodType>(item: Item) =>
  z.union([item, z.array(item)]).transform((value) => (Array.isArray(value) ? value : [value]) as z.output<Item>[]);
const Value = z.union([z.string(), z.boolean(), z.number()]).transform(String);
const Principal = z.union([z.literal("*"), z.record(z.string(), oneOrMore(z.string()))]);

const Statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(["Allow", "Deny"]),
  Principal: Principal.optional(),
  NotPrincipal: Principal.optional(),
  Action: oneOrMore(z.string()).optional(),
  NotAction: oneOrMore(z.string()).optional(),
  Condition: z.record(z.string(), z.record(z.string(), oneOrMore(Value))).optional(),
});
export type AwsStatement = z.output<typeof Statement>;

const Policy = z.strictObject({
  Version: z.enum(["2012-10-17", "2008-10-17"]).default("2008-10-17"),
  Id: z.string().optional(),
  Statement: oneOrMore(Statement),
});
export type AwsPolicy = z.output<typeof Policy>;

/** One condition, with where it stands. */
export interface AwsCondition {
  readonly at: string;
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

/** @throws PolicyError where it is no JSON, or no trust policy. */
export function parseAwsPolicy(text: string): AwsPolicy {
  const document = unwrapped(parseJsonText(text));
  const parsed = parse(Policy, document);
  if (parsed.success) return parsed.data;
  const [{ path, detail }] = parsed.misfits;
  throw new PolicyError(pathOf(path), detail);
}

export function conditionsOf(statement: AwsStatement, index: number): AwsCondition[] {
  return Object.entries(statement.Condition ?? {}).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => ({
      at: `Statement[${index}].Condition.${operator}["${key}"]`,
      operator,
      key,
      values,
    })),
  );
}

/** `Statement[0].Condition.StringEquals["host:sub"]`. */
function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((part, at) => {
      if (typeof part === "number") return `[${part}]`;
      if (!/^\w+$/.test(String(part))) return `["${String(part)}"]`;
      return at === 0 ? String(part) : `.${String(part)}`;
    })
    .join("");
}

function unwrapped(document: unknown): unknown {
  const whole = z.object({ Role: z.object({ AssumeRolePolicyDocument: z.unknown() }) }).safeParse(document);
  if (whole.success) return whole.data.Role.AssumeRolePolicyDocument;
  const role = z.object({ AssumeRolePolicyDocument: z.unknown() }).safeParse(document);
  return role.success ? role.data.AssumeRolePolicyDocument : document;
}
