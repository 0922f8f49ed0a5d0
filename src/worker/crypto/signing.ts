/**
 * Signing keys: private RSA JWKs in two secret slots, each with `activates_at` in Unix seconds. Both are
 * published; the newest activated one signs (DESIGN section 9). RS256 alone, whatever a JWK says.
 */
import { CompactSign, calculateJwkThumbprint, importJWK, type JWTPayload } from "jose";
import * as z from "zod";
import type { PublicJwk } from "../../protocol/identity.ts";
import { fromBase64Url, utf8 } from "../lib/bytes.ts";
import type { EpochSeconds } from "../lib/time.ts";
import type { BindingProblem } from "./keyring.ts";

export interface SigningKey {
  readonly binding: string;
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  readonly activatesAt: EpochSeconds;
  readonly publicJwk: PublicJwk;
  readonly privateKey: CryptoKey;
}

export interface SigningKeys {
  readonly keys: readonly SigningKey[];
  readonly problems: readonly BindingProblem[];
}

const Part = z.string().refine((text) => text !== "" && fromBase64Url(text) !== null, "must be base64url");

const PrivateJwk = z.object({
  kty: z.literal("RSA"),
  n: Part,
  e: z.literal("AQAB"),
  d: Part,
  p: Part,
  q: Part,
  dp: Part,
  dq: Part,
  qi: Part,
  activates_at: z.int().min(0),
});

const modulusBits = [2048, 3072, 4096];

export async function parseSigningKeys(slots: readonly (readonly [binding: string, text: string | undefined])[]) {
  const keys: SigningKey[] = [];
  const problems: BindingProblem[] = [];
  for (const [binding, text] of slots) {
    if (text === undefined || text === "") continue;
    const parsed = await parseSigningKey(binding, text);
    if (typeof parsed === "string") problems.push({ binding, detail: parsed });
    else if (!keys.some((key) => key.kid === parsed.kid)) keys.push(parsed);
  }
  const first = slots[0]?.[0] ?? "";
  if (keys.length === 0 && problems.length === 0) problems.push({ binding: first, detail: "is not set" });
  return { keys, problems } satisfies SigningKeys;
}

/** The key that signs at `now`: the newest activated, else the earliest to come; a tie goes to the lower kid. */
export function activeKey(keys: readonly SigningKey[], now: EpochSeconds): SigningKey | null {
  let active: SigningKey | null = null;
  for (const key of keys) if (active === null || signsBefore(key, active, now)) active = key;
  return active;
}

function signsBefore(one: SigningKey, other: SigningKey, now: EpochSeconds): boolean {
  const [isActivated, isOtherActivated] = [one.activatesAt <= now, other.activatesAt <= now];
  if (isActivated !== isOtherActivated) return isActivated;
  if (one.activatesAt === other.activatesAt) return one.kid < other.kid;
  return one.activatesAt > other.activatesAt === isActivated;
}

/**
 * The compact JWS (RFC 7515) of `claims`. Deterministic: the same claims and key give the same token. Claims are whole
 * when they come, so that the library's builder of JWTs, which copies them first, has nothing to add.
 */
export function signToken(key: SigningKey, claims: JWTPayload): Promise<string> {
  const header = { alg: "RS256", kid: key.kid, typ: "JWT" };
  return new CompactSign(utf8(JSON.stringify(claims))).setProtectedHeader(header).sign(key.privateKey);
}

/** The key, or in words what is wrong with it; never its text. */
async function parseSigningKey(binding: string, text: string): Promise<SigningKey | string> {
  const jwk = parseJwk(text);
  if (typeof jwk === "string") return jwk;
  const bits = bitLength(fromBase64Url(jwk.n) ?? new Uint8Array());
  if (!modulusBits.includes(bits)) return `has a modulus of ${bits} bits, not ${modulusBits.join(", ")}`;
  const { activates_at, ...privateJwk } = jwk;
  try {
    const privateKey = await importJWK({ ...privateJwk, alg: "RS256" }, "RS256");
    if (privateKey instanceof Uint8Array) return "is not an RSA key";
    const kid = await calculateJwkThumbprint({ kty: "RSA", n: jwk.n, e: jwk.e });
    const publicJwk = { kty: "RSA", n: jwk.n, e: jwk.e, alg: "RS256", use: "sig", kid } as const;
    if (!(await belongTogether(privateKey, publicJwk))) return "has a private half that is not of its public half";
    return { binding, kid, activatesAt: activates_at as EpochSeconds, publicJwk, privateKey };
  } catch {
    return "is not a usable RSA private key";
  }
}

/** Not every runtime checks it on import, and a token that nobody can verify would be found out in the clouds. */
async function belongTogether(privateKey: CryptoKey, publicJwk: PublicJwk): Promise<boolean> {
  const publicKey = await importJWK(publicJwk, "RS256");
  const probe = new Uint8Array(32);
  const signature = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", privateKey, probe);
  return crypto.subtle.verify("RSASSA-PKCS1-v1_5", publicKey as CryptoKey, signature, probe);
}

function parseJwk(text: string): z.infer<typeof PrivateJwk> | string {
  try {
    const parsed = PrivateJwk.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    const members = parsed.error.issues.map((issue) => issue.path.join("."));
    return `is not a private RSA JWK with activates_at: look at ${[...new Set(members)].join(", ")}`;
  } catch {
    return "is not JSON";
  }
}

/** Bits of an unsigned big-endian number. */
function bitLength(bytes: Uint8Array): number {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (bytes.length - first) * 8 - Math.clz32(bytes[first] ?? 0) + 24;
}
