/** Answers, and the headers that every one of them carries. */

export const jsonType = "application/json; charset=utf-8";

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), { status, headers: { "content-type": jsonType, ...headers } });
}

/** 201 with what was made, or 200 with what the same client id had made before. */
export function created<Value>({ value, isNew }: { value: Value; isNew: boolean }): Response {
  return json(isNew ? 201 : 200, value);
}

export function empty(status: number): Response {
  return new Response(null, { status });
}

export function text(status: number, body: string): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

/** For good, method and all (RFC 9110 section 15.4.9). */
export function movedTo(url: URL): Response {
  return new Response(null, { status: 308, headers: { location: url.href } });
}

const securityHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "x-frame-options": "DENY",
  // Browsers ignore it over plain HTTP (RFC 6797 section 8.1), where only a loopback issuer is served.
  "strict-transport-security": "max-age=31536000",
} as const;

/**
 * Headers of an answer that stays the same: made once, with all that `finish` would add but the request's id. What is
 * given comes before what every answer carries.
 */
export function lastingHeaders(headers: Readonly<Record<string, string>>): Headers {
  return new Headers({ ...securityHeaders, ...headers });
}

/**
 * The same answer with security headers, and `no-store` where it says nothing of caching itself. An upgrade
 * passes untouched: a copy of it would lose its socket.
 */
export function finish(response: Response, requestId: string): Response {
  if (response.webSocket) return response;
  const finished = response.headers.has("x-content-type-options") ? response : completed(response);
  finished.headers.set("x-request-id", requestId);
  return finished;
}

function completed(response: Response): Response {
  const complete = new Response(response.body, response);
  for (const [name, value] of Object.entries(securityHeaders)) complete.headers.set(name, value);
  if (!complete.headers.has("cache-control")) complete.headers.set("cache-control", "no-store");
  return complete;
}
