/** What can go wrong between a client and its server, as types that a caller can branch on. */
import { type FieldProblem, Problem, type ProblemCode } from "../protocol/problem.ts";

/** The server refused, and said why (RFC 9457). `code` is `null` where the answer was no problem document. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly status: number;
  readonly code: ProblemCode | null;
  readonly detail: string;
  readonly requestId: string | null;
  readonly errors: readonly FieldProblem[];
  readonly #problem: Problem | null;

  constructor(status: number, problem: Problem | null, detail: string) {
    super(detail);
    this.#problem = problem;
    this.status = status;
    this.code = problem?.code ?? null;
    this.detail = detail;
    this.requestId = problem?.request_id ?? null;
    this.errors = problem?.errors ?? [];
  }

  /** The same in other words, for what only the caller knows. */
  withDetail(detail: string): ApiProblem {
    return new ApiProblem(this.status, this.#problem, detail);
  }
}

/** No answer came: wrong address, nothing listening, a network that fails. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** An answer came that breaks the protocol: another server, or another version of this one. */
export class UnexpectedAnswer extends Error {
  override readonly name = "UnexpectedAnswer";
}

/** A log socket that the server closed for good. */
export class FollowRefused extends Error {
  override readonly name = "FollowRefused";
  readonly closeCode: number;

  constructor(closeCode: number, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

/** Reads an error answer; anything that is no problem document (a proxy's page) keeps its status alone. */
export function problemFrom(status: number, body: string): ApiProblem {
  const problem = Problem.safeParse(parseJson(body));
  return problem.success
    ? new ApiProblem(status, problem.data, problem.data.detail)
    : new ApiProblem(status, null, `the server answered ${status} without saying why`);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
