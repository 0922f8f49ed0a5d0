/**
 * Expected refusals. A fault carries a stable code, a public detail and a private cause; only the edge
 * (http/problem.ts) knows statuses. A public detail must never quote a secret or what was sent as one.
 */
import type { FieldProblem, ProblemCode } from "../../protocol/problem.ts";

export class Fault extends Error {
  readonly code: ProblemCode;
  /** Shown to the caller. */
  readonly detail: string;
  readonly errors: readonly FieldProblem[];
  /** Seconds after which trying again makes sense. */
  readonly retryAfterSeconds: number | null;

  constructor(
    code: ProblemCode,
    detail: string,
    more: { errors?: readonly FieldProblem[]; cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(`${code}: ${detail}`, more.cause === undefined ? {} : { cause: more.cause });
    this.name = "Fault";
    this.code = code;
    this.detail = detail;
    this.errors = more.errors ?? [];
    this.retryAfterSeconds = more.retryAfterSeconds ?? null;
  }
}

/** What does not exist and what one may not know: one answer, so that nobody can tell which it was. */
export function notFound(): Fault {
  return new Fault("not_found", "not found, or not visible to you");
}

/** A refusal that names one field of the body, or one parameter of the query as `?name`. */
export function invalidField(pointer: string, detail: string): Fault {
  return new Fault("invalid_request", `${pointer}: ${detail}`, { errors: [{ pointer, detail }] });
}

/** A refusal that names one field, of a request that is well-formed but may not be. */
export function refusedField(pointer: string, detail: string): Fault {
  return new Fault("refused", `${pointer}: ${detail}`, { errors: [{ pointer, detail }] });
}

/** A binding that is missing or malformed. */
export function bindingUnusable(binding: string, detail: string): Fault {
  return new Fault("binding_unusable", `${binding} ${detail}`, { retryAfterSeconds: 30 });
}

/** One answer for a missing, malformed, unknown, revoked and expired credential. */
export function unauthenticated(): Fault {
  return new Fault("unauthenticated", "no valid credential was presented");
}

/** A name or id that another has. */
export function taken(pointer: string, detail: string): Fault {
  return new Fault("conflict", `${pointer}: ${detail}`, { errors: [{ pointer, detail }] });
}
