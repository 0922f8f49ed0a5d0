/** Answers, and the headers that every one of them carries. */

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
  });
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
 * The same answer with security headers, and `no-store` where it says nothing of caching itself. An upgrade
 * passes untouched: a copy of it would lose its socket.
 */
export function finish(response: Response, requestId: string): Response {
  if (response.webSocket) return response;
  const finished = new Response(response.body, response);
  for (const [name, value] of Object.entries(securityHeaders)) finished.headers.set(name, value);
  finished.headers.set("x-request-id", requestId);
  if (!finished.headers.has("cache-control")) finished.headers.set("cache-control", "no-store");
  return finished;
}
