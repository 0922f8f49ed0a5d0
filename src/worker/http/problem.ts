/** Faults as problem documents (RFC 9457). The only place that knows statuses. */
import type { Problem, ProblemCode } from "../../protocol/problem.ts";
import { Fault } from "../lib/fault.ts";

/** Status and title of each code. No default: a new code fails the build until it has both. */
export const problemKinds: Record<ProblemCode, { readonly status: number; readonly title: string }> = {
  invalid_request: { status: 400, title: "The request does not fit" },
  unauthenticated: { status: 401, title: "No valid credential" },
  insecure_transport: { status: 403, title: "Encrypted connections only" },
  forbidden: { status: 403, title: "You may not do this" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  conflict: { status: 409, title: "It conflicts with what exists" },
  precondition_failed: { status: 412, title: "It has changed since you read it" },
  log_deleted: { status: 410, title: "The log was deleted" },
  too_large: { status: 413, title: "Too large" },
  misdirected: { status: 421, title: "This host is not served here" },
  refused: { status: 422, title: "Refused" },
  upgrade_required: { status: 426, title: "A websocket is served here" },
  too_many: { status: 429, title: "Too many" },
  sealed_unreadable: { status: 500, title: "A sealed record does not open" },
  internal: { status: 500, title: "Something unexpected happened" },
  binding_unusable: { status: 503, title: "A binding is missing or malformed" },
  unavailable: { status: 503, title: "Not available now" },
};

/** The answer to anything thrown. The unexpected shows its request id alone; its cause goes to the Worker's log. */
export function problemResponse(thrown: unknown, requestId: string): Response {
  const fault = thrown instanceof Fault ? thrown : new Fault("internal", "an unexpected error", { cause: thrown });
  const { status, title } = problemKinds[fault.code];
  if (status >= 500) report(fault, requestId);
  const problem: Problem = {
    type: "about:blank",
    title,
    status,
    detail: fault.detail,
    code: fault.code,
    request_id: requestId,
    ...(fault.errors.length > 0 && { errors: [...fault.errors] }),
  };
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (fault.retryAfterSeconds !== null) headers.set("retry-after", String(fault.retryAfterSeconds));
  if (fault.code === "unauthenticated") headers.set("www-authenticate", "Bearer");
  return new Response(JSON.stringify(problem), { status, headers });
}

function report(fault: Fault, requestId: string): void {
  const cause = fault.cause instanceof Error ? (fault.cause.stack ?? fault.cause.message) : undefined;
  // biome-ignore lint/suspicious/noConsole: the Worker's log is where unexpected causes go
  console.error(JSON.stringify({ request_id: requestId, code: fault.code, detail: fault.detail, cause }));
}
