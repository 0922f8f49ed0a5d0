/** A past job's tokens: which is explained in full, and what is not known of one is not taken for good. */
import { expect, it } from "vitest";
import { readTrust } from "../../../src/trust/trust.ts";
import type { PastToken } from "../../../src/worker/identity/past-tokens.ts";
import type { EpochSeconds } from "../../../src/worker/lib/time.ts";
import { explainTokens } from "../../../src/worker/trust/past-job.ts";
import { claims, now, projectId } from "./tokens.ts";

const role = { user_claim: "prj_id", bound_audiences: ["the-cloud"], bound_claims: { prj_id: projectId } };
const explain = readTrust("vault", JSON.stringify(role));
const at = (seconds: number) => seconds as EpochSeconds;

function token(jti: string, over: { aud?: string; issuedAt?: number; doubt?: string } = {}): PastToken {
  const { aud = "the-cloud", issuedAt = now, doubt = null } = over;
  const mint = {
    jti,
    kid: "k",
    aud,
    issuedAt: at(issuedAt),
    expiresAt: at(issuedAt + 900),
    sub: "s",
    isDefault: false,
  };
  const dated = { iat: issuedAt, nbf: issuedAt - 5, exp: issuedAt + 900 };
  return { mint, subject: "semaphore", claims: { ...claims, ...dated, aud }, tags: {}, chosen: null, doubt };
}

it("the token that is nearest to being taken is explained in full, the newest among equals", () => {
  const tokens = [token("new", { aud: "x" }), token("mid"), token("old"), token("first", { aud: "y" })];
  const { mint, verdict, mints } = explainTokens(explain, tokens, at(now));
  expect([mint, verdict]).toEqual(["mid", "accepted"]);
  expect(mints?.map((each) => each.verdict)).toEqual(["refused", "accepted", "accepted", "refused"]);
});

it("each is judged as of its own mint, and said to have expired since", () => {
  const { verdict, assumes } = explainTokens(explain, [token("a", { issuedAt: now - 86_400 })], at(now));
  expect([verdict, assumes.at(-1)]).toEqual(["accepted", expect.stringMatching(/as of its mint, .*expired since$/)]);
  const live = explainTokens(explain, [token("a")], at(now)).assumes.at(-1);
  expect(live).not.toContain("expired");
});

it("a token whose record is gone is never said to be accepted", () => {
  const told = explainTokens(explain, [token("a", { doubt: "the record is gone" })], at(now));
  expect([told.verdict, told.because, told.mints?.[0]?.verdict]).toEqual(["unknown", "the record is gone", "unknown"]);
  const other = explainTokens(explain, [token("a", { aud: "x", doubt: "the record is gone" })], at(now));
  expect(other.verdict).toBe("refused");
});

it("twenty are looked at, and said to be; all of them take no more steps than one may", () => {
  const tokens = Array.from({ length: 23 }, (_, number) => token(`t${number}`));
  const { mints, assumes } = explainTokens(explain, tokens, at(now));
  expect([mints?.length, assumes.at(-1)]).toEqual([20, expect.stringContaining("3 older tokens")]);
  const globs = Array.from({ length: 200 }, () => `*${"a".repeat(60)}b*`);
  const costly = { ...role, bound_claims_type: "glob", bound_claims: { ref: [...globs, "*"] } };
  const long = tokens.map((each) => ({ ...each, claims: { ...each.claims, ref: "a".repeat(2500) } }));
  const told = explainTokens(readTrust("vault", JSON.stringify(costly)), long, at(now)).mints ?? [];
  expect([told[0]?.verdict, told.at(-1)?.verdict]).toEqual(["accepted", "unknown"]);
});
