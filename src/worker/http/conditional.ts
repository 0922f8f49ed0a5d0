/** Conditional reads by entity tag (RFC 9110 sections 13.1.2 and 13.1.5). Pure. */

/** Whether the caller has what `etag` names already: 304. */
export function isKnown(request: Request, etag: string): boolean {
  const known = request.headers.get("if-none-match") ?? "";
  return known.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag || tag.trim() === "*");
}

/**
 * The range asked for, or null where it belongs to another representation than the one that is served, or to a HEAD,
 * which has none (section 14.2): to count a whole log for one would be work for nothing.
 */
export function rangeFor(request: Request, etag: string): string | null {
  if (request.method !== "GET") return null;
  const condition = request.headers.get("if-range");
  return condition === null || condition.trim() === etag ? request.headers.get("range") : null;
}
