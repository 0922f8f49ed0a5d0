/** An explanation whose texts are of bounded length: a long claim would stand in it once for each condition. */
import type { TrustExplanation } from "../protocol/trust.ts";

/** More than any subject, audience or ref has. */
const charsMax = 1024;

export function clipped(explanation: TrustExplanation): TrustExplanation {
  const parts = explanation.parts.map((part) => ({
    ...part,
    checks: part.checks.map((check) => ({
      ...check,
      test: clip(check.test),
      expected: check.expected.map(clip),
      seen: check.seen?.map(clip) ?? null,
      hint: check.hint === null ? null : clip(check.hint),
    })),
  }));
  return { ...explanation, because: clip(explanation.because), parts };
}

function clip(text: string): string {
  if (text.length <= charsMax) return text;
  // Not within a character of two units.
  const head = text.slice(0, charsMax).replace(/[\uD800-\uDBFF]$/, "");
  return `${head}… (${text.length} characters)`;
}
