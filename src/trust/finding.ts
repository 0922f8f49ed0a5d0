/** One thing that lint says of a policy, in a line of code. */
import type { TrustFinding } from "../protocol/trust.ts";

export function found(
  rule: string,
  severity: TrustFinding["severity"],
  at: string,
  message: string,
  fix: string,
): TrustFinding {
  return { rule, severity, at, message, fix };
}
