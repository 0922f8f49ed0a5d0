/** A past job's tokens by a trust policy: each explained, and one of them in full. Pure. */
import type { SubjectForm } from "../../protocol/identity-profiles.ts";
import { limits } from "../../protocol/limits.ts";
import type { ExplainedMint, TrustExplanation, TrustVerdict } from "../../protocol/trust.ts";
import { Effort } from "../../trust/effort.ts";
import type { Explain } from "../../trust/trust.ts";
import type { PastToken } from "../identity/past-tokens.ts";
import { type EpochSeconds, toTimestamp } from "../lib/time.ts";

export interface AskedMints {
  readonly audience?: string | undefined;
  readonly subject?: SubjectForm | undefined;
  readonly jti?: string | undefined;
}

/** Those of the tokens that were asked for. */
export function chosenTokens(tokens: readonly PastToken[], { audience, subject, jti }: AskedMints): PastToken[] {
  return tokens.filter(
    (token) =>
      (audience === undefined || token.mint.aud === audience) &&
      (subject === undefined || token.subject === subject) &&
      (jti === undefined || token.mint.jti === jti),
  );
}

/**
 * Each as of its own mint. In full: the one that is nearest to being taken, the newest of them, since it is the one that
 * was made for this policy.
 * @param tokens newest first, at least one.
 */
export function explainTokens(explain: Explain, tokens: readonly PastToken[], now: EpochSeconds): TrustExplanation {
  const effort = new Effort();
  const [first, ...others] = tokens.slice(0, limits.trustTokens).map((token) => {
    return { token, explanation: explainToken(explain, token, now, effort) };
  });
  if (first === undefined) throw new Error("no token to explain");
  const all = [first, ...others];
  const best = others.reduce(
    (found, each) => (distance(each.explanation) < distance(found.explanation) ? each : found),
    first,
  );
  const left = tokens.length - all.length;
  return {
    ...best.explanation,
    assumes: [
      ...best.explanation.assumes,
      ...(left === 0 ? [] : [`${left} older tokens of this job were not looked at: choose by audience or jti`]),
    ],
    mint: best.token.mint.jti,
    mints: all.map(({ token, explanation }) => explainedMint(token, explanation)),
  };
}

function explainToken(
  explain: Explain,
  { mint, claims, doubt }: PastToken,
  now: EpochSeconds,
  effort: Effort,
): TrustExplanation {
  const explanation = explain(claims, mint.issuedAt, effort);
  // What is not known of the token is not taken for good.
  const ended = mint.expiresAt <= now ? ", and it has expired since" : "";
  return {
    ...explanation,
    ...(doubt !== null && explanation.verdict === "accepted" && { verdict: "unknown" as const, because: doubt }),
    assumes: [
      ...explanation.assumes,
      `it is judged as of its mint, ${toTimestamp(mint.issuedAt * 1000)}${ended}`,
      ...(doubt === null ? [] : [doubt]),
    ],
  };
}

const ranks: Record<TrustVerdict, number> = { accepted: 0, unknown: 1, refused: 2 };

/** How far from being taken: by verdict, then by what is not met. */
function distance({ verdict, parts }: TrustExplanation): number {
  const checks = parts.flatMap((part) => part.checks);
  const missed = checks.filter(({ result }) => result !== "met").length;
  return ranks[verdict] + missed / (checks.length + 1);
}

function explainedMint(
  { mint, subject, tags, chosen }: PastToken,
  { verdict, because }: TrustExplanation,
): ExplainedMint {
  return {
    jti: mint.jti,
    audience: mint.aud,
    subject_form: subject,
    sub: mint.sub,
    issued_at: toTimestamp(mint.issuedAt * 1000),
    expires_at: toTimestamp(mint.expiresAt * 1000),
    is_default: mint.isDefault,
    aws_session_tags: { ...tags },
    claims: chosen === null ? null : [...chosen],
    verdict,
    because,
  };
}
