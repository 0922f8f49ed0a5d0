/** An issuer that clouds refuse, or that no token names so. */
import type { TrustFinding } from "../protocol/trust.ts";

/** @param host the issuer without `https://`, as AWS writes it. */
export function lintIssuerHost(host: string, at: string): TrustFinding[] {
  const issue = hostProblem(host);
  if (issue === null) return [];
  const fix = "write it exactly as the tokens' iss: a public host name in lower case, and nothing after it";
  return [{ rule: "issuer-form", severity: "error", at, message: issue, fix }];
}

export function lintIssuer(issuer: string, at: string): TrustFinding[] {
  const fix = "write the tokens' iss: https:// and a host name";
  if (issuer.startsWith("https://")) return lintIssuerHost(issuer.slice("https://".length), at);
  return [{ rule: "issuer-form", severity: "error", at, message: "the issuer must be an https URL", fix }];
}

function hostProblem(host: string): string | null {
  const authority = host.split("/")[0] ?? "";
  if (/[?#]/.test(host)) return "the issuer has a query or fragment";
  if (host.endsWith("/")) return "the issuer ends in a slash, and the tokens' iss does not";
  if (/:\d*$/.test(authority)) return "the issuer has a port, which AWS refuses";
  if (host.includes("/")) return "the issuer has a path, and a Signalbox issuer has none";
  if (authority !== authority.toLowerCase()) return "the issuer has capitals, and clouds compare it by case";
  return authority.includes(".") ? null : "the issuer is no public host name";
}

/** The audience of SEMAPHORE_OIDC_TOKEN, which every relying party without one of its own is shown. */
export function defaultAudience(at: string, fix = "take an audience of your own"): TrustFinding {
  const message = "every job's default token fits, also one that another party received";
  return { rule: "default-audience", severity: "warning", at, message, fix };
}
