/**
 * Parses by a schema, and says what does not fit in words for people: zod's own name types and bounds as programs do, and
 * say nothing of a choice between forms. What a schema says itself stands. No value is quoted: it may be a secret.
 */
import type * as z from "zod";

/** What does not fit: where it stands, and what may stand there. */
export interface Misfit {
  readonly path: readonly PropertyKey[];
  readonly detail: string;
}

type Misfits = readonly [Misfit, ...Misfit[]];

export type Parsed<Value> =
  | { readonly success: true; readonly data: Value }
  | { readonly success: false; readonly misfits: Misfits };

export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): Parsed<z.output<Schema>> {
  const parsed = schema.safeParse(value, { error: inWords });
  if (parsed.success) return { success: true, data: parsed.data };
  const [first = { path: [], detail: "does not fit" }, ...more] = parsed.error.issues.flatMap(misfitsOf);
  return { success: false, misfits: [first, ...more] };
}

/** `spec.commands.0: must be …`; `whole` names the value itself. */
export function misfitLine({ path, detail }: Misfit, whole: string): string {
  return `${path.map(String).join(".") || whole}: ${detail}`;
}

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue | Issue;

function misfitsOf(issue: Issue): Misfit[] {
  const { path, message: detail } = issue;
  // A schema refuses all unknown members of an object at once, and in the object's name.
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: [...path, key], detail: "is not known here" }));
  }
  if (issue.code === "invalid_key") return [{ path, detail: `its name ${issue.issues[0]?.message ?? "does not fit"}` }];
  if (issue.code !== "invalid_union") return [{ path, detail }];
  const within = nearest(issue.errors)?.flatMap(misfitsOf);
  return within?.map((misfit) => ({ ...misfit, path: [...path, ...misfit.path] })) ?? [{ path, detail }];
}

/** Of the forms that take the value as a whole, the one that finds least within it: it was meant, if there is one such. */
function nearest(forms: readonly Issue[][]): Issue[] | undefined {
  const counts = forms
    .filter((form) => form.every(({ code, path }) => path.length > 0 || code === "unrecognized_keys"))
    .map((form) => ({ form, misfits: form.flatMap(misfitsOf).length }));
  const [first, second] = counts.toSorted((a, b) => a.misfits - b.misfits);
  return first?.misfits === second?.misfits ? undefined : first?.form;
}

/** Undefined: zod's own words will do. */
function inWords(issue: z.core.$ZodRawIssue): string | undefined {
  const words = wanted(issue);
  if (words === undefined) return undefined;
  if (issue.input === undefined) return `is missing; it must ${words}`;
  return `must ${words}${isOfAnotherKind(issue, words) ? `, not ${kindOf(issue.input)}` : ""}`;
}

/** What must be, such as `be text`. */
function wanted(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return `be ${kinds[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `be ${either(issue.values.map((value) => JSON.stringify(value)))}`;
    case "invalid_format":
      return formats[issue.format];
    case "too_small":
      return bound(issue, issue.minimum, { inclusive: "at least", exclusive: "more than" });
    case "too_big":
      return bound(issue, issue.maximum, { inclusive: "at most", exclusive: "less than" });
    case "invalid_union":
      return wantedOfForms(issue);
    default:
      return undefined;
  }
}

function wantedOfForms({ errors, options }: { errors: readonly Issue[][]; options?: readonly unknown[] }) {
  if (options !== undefined) return `be ${either(options.map((value) => JSON.stringify(value)))}`;
  const forms = errors.flatMap(([first]) => (first?.path.length === 0 ? [wanted(first) ?? ""] : []));
  const beings = forms.filter((form) => form.startsWith("be ")).map((form) => form.slice(3));
  return beings.length === 0 ? undefined : `be ${either([...new Set(beings)])}`;
}

/** `have at least 1 character` of what has a length, `be at least 1` of a number. */
function bound(
  { origin, exact, inclusive }: { origin: string; exact?: boolean; inclusive?: boolean },
  limit: number | bigint,
  words: { inclusive: string; exclusive: string },
): string {
  const unit = units[origin];
  const most = `${exact ? "exactly" : inclusive === false ? words.exclusive : words.inclusive} ${limit}`;
  return unit === undefined ? `be ${most}` : `have ${most} ${unit}${Number(limit) === 1 ? "" : "s"}`;
}

const units: Readonly<Record<string, string>> = { string: "character", array: "item" };

const kinds: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

const formats: Readonly<Record<string, string>> = {
  base64: "be base64",
  datetime: "be a time such as 2026-01-31T12:00:00Z",
};

/** A number may be one that is not whole, or none at all (NaN). */
function isOfAnotherKind({ code, input, options }: z.core.$ZodRawIssue, words: string): boolean {
  const isKind = code === "invalid_type" || (code === "invalid_union" && options === undefined);
  return isKind && !(typeof input === "number" && words.endsWith("number"));
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return kinds[Array.isArray(value) ? "array" : typeof value] ?? typeof value;
}

function either(choices: readonly string[]): string {
  return choices.length < 2 ? choices.join() : `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
}
