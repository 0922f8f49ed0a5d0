/**
 * Verifies an identity token as a relying party would: discovery, key set, signature, issuer, audience, times.
 * With jsonwebtoken and jwks-rsa on purpose: the server signs with another library, so neither vouches for itself.
 */
import jwt from "jsonwebtoken";
import jwksRsa from "jwks-rsa";
import { DiscoveryDocument } from "../protocol/identity.ts";

export interface DecodedToken {
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
}

export type Verdict =
  | { kind: "verified"; keysUrl: string; kid: string }
  | { kind: "refused"; why: string }
  | { kind: "unreachable"; why: string };

export interface Expectation {
  issuer: string;
  /** Default: not checked. */
  audience?: string | undefined;
}

const timeoutMilliseconds = 5000;

/** The token's parts, unverified; null where it is no JWT. */
export function decodeToken(token: string): DecodedToken | null {
  try {
    const decoded = jwt.decode(token, { complete: true });
    if (!decoded || typeof decoded.payload === "string") return null;
    return { header: { ...decoded.header }, claims: decoded.payload };
  } catch {
    return null;
  }
}

export async function verifyToken(token: string, expected: Expectation): Promise<Verdict> {
  const discovered = await discover(expected.issuer);
  if (discovered.kind !== "found") return discovered;
  const kid = decodeToken(token)?.header.kid;
  if (typeof kid !== "string") return { kind: "refused", why: "its header names no key" };
  const key = await signingKey(discovered.keysUrl, kid);
  if (typeof key !== "string") return key;
  try {
    jwt.verify(token, key, {
      // Pinned: a token must not choose how it is checked (RFC 8725 section 3.1).
      algorithms: ["RS256"],
      issuer: expected.issuer,
      ...(expected.audience === undefined ? {} : { audience: expected.audience }),
    });
    return { kind: "verified", keysUrl: discovered.keysUrl, kid };
  } catch (error) {
    return { kind: "refused", why: error instanceof Error ? error.message : String(error) };
  }
}

/** The issuer's public key of that id as PEM, or why there is none. */
async function signingKey(keysUrl: string, kid: string): Promise<string | Exclude<Verdict, { kind: "verified" }>> {
  const keys = jwksRsa({ jwksUri: keysUrl, timeout: timeoutMilliseconds, cache: false });
  try {
    return (await keys.getSigningKey(kid)).getPublicKey();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const isUnknown = error instanceof Error && error.name === "SigningKeyNotFoundError";
    return isUnknown ? { kind: "refused", why } : { kind: "unreachable", why: `${keysUrl}: ${why}` };
  }
}

type Discovered = { kind: "found"; keysUrl: string } | Exclude<Verdict, { kind: "verified" }>;

async function discover(issuer: string): Promise<Discovered> {
  if (!isFetchable(issuer)) return { kind: "refused", why: `${issuer} is no https URL` };
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMilliseconds), redirect: "error" });
    if (!answer.ok) return { kind: "unreachable", why: `${url} answered ${answer.status}` };
    const document = DiscoveryDocument.pick({ issuer: true, jwks_uri: true }).safeParse(await answer.json());
    if (!document.success) return { kind: "refused", why: `${url} is no discovery document` };
    // OpenID Connect Discovery 1.0 section 4.3: else one issuer could speak for another.
    if (document.data.issuer !== issuer) return { kind: "refused", why: `${url} names another issuer` };
    if (!isFetchable(document.data.jwks_uri)) return { kind: "refused", why: `${url} names keys at no https URL` };
    return { kind: "found", keysUrl: document.data.jwks_uri };
  } catch (error) {
    return { kind: "unreachable", why: `${url}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Keys that came over plain HTTP prove nothing, except from this very machine. */
function isFetchable(text: string): boolean {
  const url = URL.parse(text);
  if (url?.protocol === "https:") return true;
  return url?.protocol === "http:" && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
}
