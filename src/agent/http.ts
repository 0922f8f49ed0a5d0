/**
 * One HTTP exchange as the agent makes them: bounded in time, redirects never followed (a token must not travel to
 * where a redirect points), and a failed connection told as status 0, so that callers decide by status alone.
 */
export interface HttpAnswer {
  /** 0: no answer came. */
  readonly status: number;
  /** The answer's body; for status 0 the reason. */
  readonly body: string;
}

interface RequestShape {
  method: string;
  headers: Record<string, string>;
  body?: string;
  redirect: "manual";
  signal: AbortSignal;
}

/** As much of `fetch` as the agent uses. */
export type Fetch = (url: string, init: RequestShape) => Promise<{ status: number; text(): Promise<string> }>;

export interface Request {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  /** Ends the exchange early, as status 0. */
  readonly signal?: AbortSignal | undefined;
}

const requestTimeoutMs = 30_000;

export async function exchange(fetch: Fetch, request: Request): Promise<HttpAnswer> {
  const timeout = AbortSignal.timeout(requestTimeoutMs);
  const init: RequestShape = {
    method: request.method,
    headers: request.headers,
    redirect: "manual",
    signal: request.signal ? AbortSignal.any([timeout, request.signal]) : timeout,
  };
  if (request.body !== undefined) init.body = request.body;
  try {
    const answer = await fetch(request.url, init);
    return { status: answer.status, body: await answer.text() };
  } catch (cause) {
    return { status: 0, body: reasonOf(cause) };
  }
}

/** undici hides what went wrong ("fetch failed") in the cause. */
function reasonOf(failure: unknown): string {
  if (!(failure instanceof Error)) return "no answer";
  const { cause } = failure;
  if (cause instanceof Error) return "code" in cause ? `${String(cause.code)}` : cause.message;
  return failure.message;
}
