/** Over what wire, and under which name, requests are taken. Pure (DESIGN section 11). */
import { Fault } from "../lib/fault.ts";

const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Whether a URL names this machine. ISSUER is one in development, and then transport is not enforced. */
export function isLoopback(url: URL): boolean {
  return loopbackNames.has(url.hostname);
}

/**
 * @throws Fault `insecure_transport` for plain HTTP, `misdirected` for a host that is not the issuer's: an old
 *   version or a stray name must not answer for the organization (RFC 9110 section 15.5.20).
 */
export function checkTransport(request: URL, issuer: URL): void {
  if (isLoopback(issuer)) return;
  if (request.protocol !== "https:") {
    throw new Fault("insecure_transport", "plain HTTP is refused: whoever listens would read the credential");
  }
  if (request.host !== issuer.host) throw new Fault("misdirected", "this deployment answers for another host");
}
