/** Digests and their comparison in constant time. */
import { createHash } from "node:crypto";
import type { Bytes, Random } from "../lib/bytes.ts";
import { toBase64Url, utf8 } from "../lib/bytes.ts";

export async function sha256(bytes: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Bytes));
}

/** The same over many pieces, in one stretch without an await: `crypto.subtle` has neither. */
export function sha256Of(pieces: Iterable<Uint8Array>): Bytes {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return new Uint8Array(hash.digest());
}

/** Whether two digests are the same, in a time that depends on their length alone. */
export function equalDigests(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= (a[at] ?? 0) ^ (b[at] ?? 0);
  return difference === 0;
}

/** Kinds of bearer token, each with its own prefix so that a leaked one says what it opens. */
export type TokenKind = "api" | "reg" | "agt" | "tkt" | "prf";

/** A fresh bearer token of 256 random bits; only its digest is ever stored. */
export function newToken(kind: TokenKind, random: Random): string {
  return `sbx_${kind}_${toBase64Url(random(32))}`;
}

/**
 * The digest that a presented token is looked up by, or null where it is not of `kind` at all (no row is asked
 * then). A lookup by SHA-256 of 256 random bits leaks nothing useful by its timing.
 */
export async function tokenDigest(kind: TokenKind, token: string): Promise<Bytes | null> {
  if (!token.startsWith(`sbx_${kind}_`) || token.length !== 51) return null;
  return sha256(utf8(token));
}
