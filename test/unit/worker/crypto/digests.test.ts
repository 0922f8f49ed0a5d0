import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { equalDigests, newToken, type TokenKind, tokenDigest } from "../../../../src/worker/crypto/digests.ts";
import { systemRandom, toHex } from "../../../../src/worker/lib/bytes.ts";
import { flipped } from "./sealing-keys.ts";

const kinds: TokenKind[] = ["api", "reg", "agt", "tkt"];

test("a token says what it opens, is found by its SHA-256, and never comes twice", async () => {
  for (const kind of kinds) {
    const token = newToken(kind, systemRandom);
    expect(token).toMatch(new RegExp(`^sbx_${kind}_[A-Za-z0-9_-]{43}$`));
    const digest = createHash("sha256").update(token).digest("hex");
    expect(toHex((await tokenDigest(kind, token)) ?? new Uint8Array())).toBe(digest);
    expect(newToken(kind, systemRandom)).not.toBe(token);
  }
});

test("a token opens nothing but its own kind, and another length is no token", async () => {
  for (const kind of kinds) {
    const token = newToken(kind, systemRandom);
    for (const other of kinds) expect((await tokenDigest(other, token)) === null).toBe(other !== kind);
    for (const altered of [`${token}A`, token.slice(0, -1), ` ${token}`, token.toUpperCase(), ""]) {
      expect(await tokenDigest(kind, altered)).toBeNull();
    }
  }
});

test("digests are equal when every bit is", () => {
  const digest = systemRandom(32);
  expect(equalDigests(digest, Uint8Array.from(digest))).toBe(true);
  for (let bit = 0; bit < 256; bit++) expect(equalDigests(digest, flipped(digest, bit))).toBe(false);
  expect(equalDigests(digest, digest.slice(0, 31))).toBe(false);
});
