/** Errors on the wire: RFC 9457 problem documents with a stable `code`. */
import * as z from "zod";

/** Stable codes; each has one HTTP status (src/worker/http/problem.ts). Clients branch on these, never on text. */
export const ProblemCode = z.enum([
  "invalid_request",
  "unauthenticated",
  "insecure_transport",
  "forbidden",
  "not_found",
  "method_not_allowed",
  "conflict",
  "precondition_failed",
  "log_deleted",
  "too_large",
  "misdirected",
  "refused",
  "upgrade_required",
  "too_many",
  "sealed_unreadable",
  "internal",
  "binding_unusable",
  "unavailable",
]);
export type ProblemCode = z.infer<typeof ProblemCode>;

export const FieldProblem = z.object({
  /** RFC 6901 JSON pointer into the body; `?name` for a query parameter. */
  pointer: z.string(),
  detail: z.string(),
});
export type FieldProblem = z.infer<typeof FieldProblem>;

export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: ProblemCode,
  request_id: z.string(),
  errors: z.array(FieldProblem).optional(),
});
export type Problem = z.infer<typeof Problem>;
