/** Over what wire, and under which name, requests are taken, and whom they come from. Pure (DESIGN section 11). */
import { Fault } from "../lib/fault.ts";

export interface TransportRules {
  readonly issuer: URL;
  /** Behind a proxy of one's own: its word is taken for scheme and client, and it may ask by a loopback name. */
  readonly trustProxy: boolean;
}

/** What of a request decides; every `Request` of the Worker is one. */
export interface Wire {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  /** Cloudflare's word on the connection; absent on one's own machine. */
  readonly cf?: object | undefined;
}

const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Deprecated by RFC 8996; SSLv3 by RFC 7568. */
const brokenTlsVersions = new Set<unknown>(["TLSv1", "TLSv1.1", "SSLv3"]);

/** Whether a URL names this machine. ISSUER is one in development, and then transport is not enforced. */
export function isLoopback(url: URL): boolean {
  return loopbackNames.has(url.hostname);
}

/**
 * Where a page asked for over plain HTTP is to be found instead, or null: go on.
 * @throws Fault `insecure_transport` for plain HTTP and TLS under 1.2, `misdirected` for a host that is not the
 *   issuer's: an old version or a stray name must not answer for the organization (RFC 9110 section 15.5.20).
 */
export function checkTransport(request: Wire, rules: TransportRules): URL | null {
  const { issuer, trustProxy } = rules;
  if (isLoopback(issuer)) return null;
  const url = new URL(request.url);
  if (!isEncrypted(request, url, trustProxy)) return elsewhere(request, url, issuer);
  const { tlsVersion }: { tlsVersion?: unknown } = request.cf ?? {};
  if (!trustProxy && brokenTlsVersions.has(tlsVersion)) {
    throw new Fault("insecure_transport", "TLS under 1.2 is refused: it no longer protects the credential");
  }
  // The proxy speaks plain HTTP to us, where :443, its own default port, would count as another host.
  const host = trustProxy ? new URL(`https://${url.host}`).host : url.host;
  if (host !== issuer.host && !(trustProxy && isLoopback(url))) {
    throw new Fault("misdirected", "this deployment answers for another host");
  }
  return null;
}

/** A proxy that says nothing, as Apache does, encrypts; one that tells of plain HTTP at any hop is believed. */
function isEncrypted({ headers }: Wire, url: URL, trustProxy: boolean): boolean {
  if (!trustProxy) return url.protocol === "https:";
  const hops = (headers.get("x-forwarded-proto") ?? "").split(",");
  return hops.every((hop) => !["http", "ws"].includes(hop.trim().toLowerCase()));
}

/** To ISSUER's own address, never to what Host says: that would send people wherever a stranger likes. */
function elsewhere({ method, headers }: Wire, { pathname, search }: URL, issuer: URL): URL {
  const isPage = !pathname.startsWith("/api/") && pathname !== "/api" && !pathname.startsWith("/.well-known/");
  const isRead = method === "GET" || method === "HEAD";
  // A redirect is no help to a program: its credential has crossed the wire by then.
  if (!isPage || !isRead || headers.has("upgrade") || headers.has("authorization")) {
    throw new Fault("insecure_transport", "plain HTTP is refused: whoever listens would read the credential");
  }
  return new URL(`${issuer.origin}${pathname}${search}`);
}

/** The SHA-256 fingerprint of a client certificate that Cloudflare verified, or in words why there is none. */
export type ClientCertificate = { readonly fingerprint: string } | { readonly missing: string };

/**
 * Cloudflare's word alone (`cf.tlsClientAuth`). On one's own machine there is none: a proxy's word would be a header,
 * and the development runtime takes all of `cf` from one (MF-CF-Blob), which anyone can send.
 */
export function clientCertificate({ cf }: Pick<Wire, "cf">, rules: TransportRules): ClientCertificate {
  const why = whyNoCertificates(rules);
  if (why !== null) return { missing: why };
  const { tlsClientAuth }: { tlsClientAuth?: Partial<IncomingRequestCfPropertiesTLSClientAuth> } = cf ?? {};
  const { certPresented, certVerified, certRevoked, certFingerprintSHA256 } = tlsClientAuth ?? {};
  if (certPresented !== "1") return { missing: "none was presented" };
  if (certVerified !== "SUCCESS") return { missing: "the one that was presented did not pass verification" };
  // Cloudflare verifies revoked ones too: cert_verified stays true where cert_revoked is.
  if (certRevoked !== "0") return { missing: "the one that was presented is revoked" };
  return { fingerprint: String(certFingerprintSHA256).toLowerCase() };
}

/** Why no request can present a client certificate in this deployment; null where Cloudflare tells of them. */
export function whyNoCertificates({ issuer, trustProxy }: TransportRules): string | null {
  if (trustProxy) {
    return "under TRUST_PROXY no certificate arrives: TLS ends at the proxy, whose word would be a header that others can send";
  }
  return isLoopback(issuer)
    ? "where ISSUER is loopback no certificate arrives: it is Cloudflare that asks for them"
    : null;
}

/**
 * The address of whoever asks, as text, or null where nobody vouches for one. Behind a proxy of one's own: X-Real-IP,
 * else the last hop of X-Forwarded-For, which the proxy itself appended; never CF-Connecting-IP, which anyone can
 * send there. At Cloudflare: CF-Connecting-IP alone, which the edge overwrites.
 */
export function clientAddress(headers: Headers, trustProxy: boolean): string | null {
  const told = trustProxy
    ? (headers.get("x-real-ip") ?? headers.get("x-forwarded-for")?.split(",").at(-1))
    : headers.get("cf-connecting-ip");
  return told?.trim() || null;
}
