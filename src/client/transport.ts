/**
 * One HTTP exchange with the API: credential, JSON both ways, problem documents as errors, and retries of what
 * may safely be said twice: GETs, and writes that carry the client's own id. It never retries anything else.
 */
import type * as z from "zod";
import { type Backoff, backoffMilliseconds, type Clock } from "./clock.ts";
import { ApiProblem, parseJson, problemFrom, UnexpectedAnswer, Unreachable } from "./errors.ts";

/** As much of the standard `fetch` as is needed, so that any runtime's fits. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; signal?: AbortSignal; redirect: "error" },
) => Promise<{
  status: number;
  headers: { get(name: string): string | null };
  text(): Promise<string>;
  /** For what is streamed; a runtime without streams cannot download. */
  body?: { getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> } } | null;
}>;

export interface TransportOptions {
  baseUrl: string;
  token: string | undefined;
  tokenSource: string | undefined;
  fetch: Fetch;
  clock: Clock;
  signal: AbortSignal | undefined;
}

export interface Call {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  body?: unknown;
  ifMatch?: string | undefined;
  /** Saying it twice is the same as saying it once. GETs always are. */
  repeatable?: boolean;
}

export interface Transport {
  /** The answer's JSON, checked. */
  json<Schema extends z.ZodType>(schema: Schema, call: Call): Promise<z.output<Schema>>;
  text(call: Call): Promise<string>;
  /** The answer's bytes as they come, never all at once; asked for when the first is taken, and never repeated. */
  stream(call: Call): AsyncGenerator<Uint8Array, void>;
}

const retry: Backoff & { attempts: number } = { firstMilliseconds: 250, mostMilliseconds: 4000, attempts: 4 };
/** A server that names a longer time is down for longer than a person waits: report it instead. */
const retryAfterSecondsMost = 10;
const requestTimeoutMilliseconds = 30_000;

export function createTransport(options: TransportOptions): Transport {
  return {
    async json(schema, call) {
      const text = await exchange(options, call);
      const parsed = schema.safeParse(parseJson(text));
      if (parsed.success) return parsed.data;
      throw new UnexpectedAnswer(`the answer to ${call.method} ${call.path} is not what this version of the API says`);
    },
    text: (call) => exchange(options, call),
    stream: (call) => streamed(options, call),
  };
}

async function exchange(options: TransportOptions, call: Call): Promise<string> {
  const repeatable = call.method === "GET" || call.repeatable === true;
  for (let attempt = 1; ; attempt++) {
    const outcome = await tryOnce(options, call);
    if ("text" in outcome) return outcome.text;
    if (!repeatable || !outcome.retryable || attempt >= retry.attempts) throw outcome.error;
    const wait = outcome.retryAfterSeconds
      ? outcome.retryAfterSeconds * 1000
      : backoffMilliseconds(retry, attempt, options.clock.random);
    await options.clock.sleep(wait, options.signal);
  }
}

async function* streamed(options: TransportOptions, call: Call): AsyncGenerator<Uint8Array, void> {
  const patience = new Patience(options.clock);
  try {
    const init = initOf(options, call, patience.signal);
    const answer = await patience.during(options.fetch(urlOf(options.baseUrl, call), init));
    if (answer.status < 200 || answer.status >= 300) throw refusalOf(options, answer.status, await answer.text());
    const reader = answer.body?.getReader();
    for (;;) {
      const { done, value } = reader === undefined ? { done: true } : await patience.during(reader.read());
      if (done || value === undefined) return;
      yield value;
    }
  } catch (cause) {
    if (cause instanceof ApiProblem) throw cause;
    options.signal?.throwIfAborted();
    throw new Unreachable(`the download from ${options.baseUrl} broke off: ${reasonOf(cause)}`, { cause });
  } finally {
    patience.end();
  }
}

/** Aborts what waits too long for the server; a reader may take its time. */
class Patience {
  readonly #controller = new AbortController();
  readonly #stop: () => void;
  #isWaiting = false;
  #ticks = 0;

  constructor(clock: Clock) {
    this.#stop = clock.every(requestTimeoutMilliseconds / 2, () => {
      if (this.#isWaiting && ++this.#ticks > 2) this.#controller.abort(new DOMException("silence", "TimeoutError"));
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async during<Value>(wait: Promise<Value>): Promise<Value> {
    this.#ticks = 0;
    this.#isWaiting = true;
    try {
      return await wait;
    } finally {
      this.#isWaiting = false;
    }
  }

  /** Also of the request, where its reader wants no more. */
  end(): void {
    this.#stop();
    this.#controller.abort();
  }
}

type Outcome = { text: string } | { error: Error; retryable: boolean; retryAfterSeconds: number };

async function tryOnce(options: TransportOptions, call: Call): Promise<Outcome> {
  try {
    const answer = await options.fetch(urlOf(options.baseUrl, call), initOf(options, call));
    const text = await answer.text();
    if (answer.status >= 200 && answer.status < 300) return { text };
    const error = refusalOf(options, answer.status, text);
    return { error, ...retryAdvice(error, answer.headers.get("retry-after")) };
  } catch (cause) {
    options.signal?.throwIfAborted();
    const error = new Unreachable(`cannot reach ${options.baseUrl}: ${reasonOf(cause)}`, { cause });
    return { error, retryable: true, retryAfterSeconds: 0 };
  }
}

/** The server cannot know which of a person's tokens it was shown. */
function refusalOf({ tokenSource }: TransportOptions, status: number, body: string): ApiProblem {
  const problem = problemFrom(status, body);
  if (status !== 401 || tokenSource === undefined) return problem;
  return problem.withDetail(`the token from ${tokenSource} was not accepted: wrong, expired or revoked`);
}

function retryAdvice(error: ApiProblem, retryAfter: string | null): { retryable: boolean; retryAfterSeconds: number } {
  const seconds = Number(retryAfter ?? "0");
  const passing = [429, 502, 503, 504].includes(error.status) && error.code !== "binding_unusable";
  return {
    retryable: passing && !(seconds > retryAfterSecondsMost),
    retryAfterSeconds: Number.isFinite(seconds) && seconds > 0 ? seconds : 0,
  };
}

function initOf(
  options: TransportOptions,
  call: Call,
  timeout = AbortSignal.timeout(requestTimeoutMilliseconds),
): Parameters<Fetch>[1] {
  return {
    method: call.method,
    headers: {
      accept: "application/json",
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(call.body === undefined ? {} : { "content-type": "application/json" }),
      ...(call.ifMatch === undefined ? {} : { "if-match": `"${call.ifMatch}"` }),
    },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    signal: options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]),
    // A credential must not follow a redirect to wherever it points.
    redirect: "error",
  };
}

function urlOf(baseUrl: string, call: Call): string {
  const url = new URL(call.path, baseUrl);
  // A path that begins with two slashes names another host, which must not get the credential.
  if (url.origin !== new URL(baseUrl).origin) throw new TypeError(`${call.path} is no path of ${baseUrl}`);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** `fetch failed` hides what failed in its cause: `connect ECONNREFUSED 127.0.0.1:8787`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${requestTimeoutMilliseconds / 1000} s`;
  const inner = error.cause instanceof Error ? error.cause : error;
  return inner.message || ("code" in inner ? String(inner.code) : inner.name);
}
