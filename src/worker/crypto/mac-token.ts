/**
 * Tokens that are checked without a database: a MAC under a key derived from the sealing key. They name their
 * kind, the sealing key, job, agent and claim number, and end at a fixed time (DESIGN section 9). A forged or
 * expired one is refused before any Durable Object or row is touched.
 *
 * Layout, base64url behind the prefix: kind (1 byte) | key id (8) | job (16) | agent (16) | claim number (1) |
 * expiry in Unix seconds (5, big-endian) | of log tokens: agent type (16) | HMAC-SHA-256 (32).
 */
import { type Bytes, concat, fromBase64Url, toBase64Url, toHex, utf8 } from "../lib/bytes.ts";
import type { EpochSeconds } from "../lib/time.ts";
import type { HeldKeys } from "./keyring.ts";
import type { SealingKey } from "./sealing-key.ts";

/** 1 were log tokens that named no agent type: refused, upon which agents ask for a fresh one. */
const kinds = { log: 3, identity_request: 2 } as const;
export type MacTokenKind = keyof typeof kinds;

interface Claims {
  readonly jobId: string;
  readonly agentId: string;
  readonly claimNumber: number;
  readonly expiresAt: EpochSeconds;
}

export interface LogTokenClaims extends Claims {
  readonly kind: "log";
  /** A push is held to what the type requires without reading a row. */
  readonly agentTypeId: string;
}

export interface IdentityRequestClaims extends Claims {
  readonly kind: "identity_request";
}

export type MacTokenClaims = LogTokenClaims | IdentityRequestClaims;

const prefix = "sbx_mac_";
const commonBytes = 1 + 8 + 16 + 16 + 1 + 5;
const bodyBytes: Record<MacTokenKind, number> = { log: commonBytes + 16, identity_request: commonBytes };
const tagBytes = 32;

export async function signMacToken(key: SealingKey, claims: MacTokenClaims): Promise<string> {
  const body = concat(
    Uint8Array.of(kinds[claims.kind]),
    key.id,
    uuidBytes(claims.jobId),
    uuidBytes(claims.agentId),
    Uint8Array.of(claims.claimNumber),
    expiryBytes(claims.expiresAt),
    claims.kind === "log" ? uuidBytes(claims.agentTypeId) : new Uint8Array(),
  );
  const tag = new Uint8Array(await crypto.subtle.sign("HMAC", await macKey(key), body));
  return prefix + toBase64Url(concat(body, tag));
}

/** The claims of a token of `kind` that is genuine and not expired, else null: one answer for every cause. */
export async function verifyMacToken(
  held: HeldKeys,
  kind: MacTokenKind,
  token: string,
  now: EpochSeconds,
): Promise<MacTokenClaims | null> {
  const bytes = token.startsWith(prefix) ? fromBase64Url(token.slice(prefix.length)) : null;
  if (bytes === null || bytes.length !== bodyBytes[kind] + tagBytes || bytes[0] !== kinds[kind]) return null;
  const body = bytes.slice(0, bodyBytes[kind]);
  const key = held.keys.find((candidate) => candidate.idHex === toHex(body.slice(1, 9)));
  if (key === undefined) return null;
  if (!(await crypto.subtle.verify("HMAC", await macKey(key), bytes.slice(body.length), body))) return null;
  const claims = readBody(kind, body);
  return claims.expiresAt > now ? claims : null;
}

function readBody(kind: MacTokenKind, body: Bytes): MacTokenClaims {
  const view = new DataView(body.buffer, body.byteOffset);
  const claims = {
    jobId: uuidText(body.slice(9, 25)),
    agentId: uuidText(body.slice(25, 41)),
    claimNumber: view.getUint8(41),
    expiresAt: (view.getUint8(42) * 2 ** 32 + view.getUint32(43)) as EpochSeconds,
  };
  return kind === "log" ? { ...claims, kind, agentTypeId: uuidText(body.slice(commonBytes)) } : { ...claims, kind };
}

function macKey(key: SealingKey): Promise<CryptoKey> {
  const bytes = key.derive(utf8("signalbox/mac/v1"), new Uint8Array(), 32);
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

function expiryBytes(at: EpochSeconds): Bytes {
  const bytes = new Uint8Array(5);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, Math.floor(at / 2 ** 32));
  view.setUint32(1, at % 2 ** 32);
  return bytes;
}

function uuidBytes(id: string): Bytes {
  const hex = id.replaceAll("-", "");
  return Uint8Array.from({ length: 16 }, (_, at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16));
}

function uuidText(bytes: Bytes): string {
  return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
