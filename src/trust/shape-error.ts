/** What does not fit a schema: where, and in words that name the field. */
import type * as z from "zod";

export interface ShapeError {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

type Issue = z.core.$ZodIssue;

/** The first issue. Of a choice between forms, that of the form which fits furthest in: it is the one that was meant. */
export function shapeError({ issues: [issue] }: { readonly issues: readonly Issue[] }): ShapeError {
  if (issue === undefined) return { path: [], message: "does not fit" };
  const { path, messages } = innermost(issue);
  return { path, message: joined(messages) };
}

function innermost(issue: Issue): { path: readonly PropertyKey[]; messages: readonly string[] } {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") return { path, messages: [`has no ${issue.keys.join(", ")}`] };
  if (issue.code !== "invalid_union") return { path, messages: [issue.message] };
  const forms = issue.errors.flatMap(([first]) => (first === undefined ? [] : [innermost(first)]));
  const furthest = Math.max(0, ...forms.map((form) => form.path.length));
  const near = forms.filter((form) => form.path.length === furthest);
  const [found] = near;
  if (found === undefined) return { path, messages: [issue.message] };
  // Where none fits at all, each says what it would take.
  const messages = furthest > 0 ? found.messages : near.flatMap((form) => form.messages);
  return { path: [...path, ...found.path], messages };
}

/** `expected text or list, received number`, of what zod says of each. */
function joined(messages: readonly string[]): string {
  const parsed = messages.map((message) => /^Invalid input: expected (.*?)(?:, received (.*))?$/.exec(message));
  if (parsed.includes(null)) return messages[0] ?? "does not fit";
  const expected = [...new Set(parsed.map((each) => each?.[1] ?? ""))].join(" or ");
  const received = parsed.map((each) => each?.[2]).find((each) => each !== undefined);
  if (received === "undefined") return `is missing: expected ${expected}`;
  return `expected ${expected}${received === undefined ? "" : `, found ${received}`}`;
}
