/** The Authorization header. Semaphore's clients say `Token`, everybody else `Bearer` (RFC 6750 section 2.1). */
import { unauthenticated } from "../lib/fault.ts";

/** The credential presented, or null where there is none in a form that we take. */
export function presentedCredential(request: Request): string | null {
  const match = /^(?:bearer|token) +([\x21-\x7e]{1,1000})$/i.exec(request.headers.get("authorization") ?? "");
  return match?.[1] ?? null;
}

/** @throws Fault `unauthenticated` */
export function requireCredential(request: Request): string {
  const credential = presentedCredential(request);
  if (credential === null) throw unauthenticated();
  return credential;
}
