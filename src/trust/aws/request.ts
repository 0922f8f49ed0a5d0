/**
 * What IAM knows when a token is presented to AssumeRoleWithWebIdentity: condition keys and their values (IAM User
 * Guide, "Available keys for AWS OIDC federation"; "Passing session tags in AWS STS").
 */
import { awsTagsClaim } from "../../protocol/identity.ts";
import type { TokenClaims } from "../../protocol/trust.ts";
import { audiences, own, type Seconds, textClaim } from "../token.ts";

/** Values of a key; null: the request has none; "unknown": it may have, and nobody can tell here. */
export type KeyValues = readonly string[] | null | "unknown";

export interface AwsRequest {
  /** Issuer without `https://`: what provider ARNs and condition keys begin with. */
  readonly provider: string;
  readonly tags: ReadonlyMap<string, readonly string[]>;
  readonly actions: readonly string[];
  valuesOf(key: string): KeyValues;
}

export const assumeRole = "sts:AssumeRoleWithWebIdentity";
export const tagSession = "sts:TagSession";
const sourceIdentityClaim = "https://aws.amazon.com/source_identity";

/** Keys that a request without AWS credentials never has: AssumeRoleWithWebIdentity takes no such parameter. */
const absentKeys = ["sts:externalid", "aws:multifactorauthpresent", "aws:multifactorauthage", "aws:principalarn"];

export function awsRequest(claims: TokenClaims, now: Seconds): AwsRequest {
  const provider = (textClaim(claims, "iss") ?? "").replace(/^https:\/\//, "");
  const tags = sessionTags(claims);
  const keys = new Map<string, readonly string[]>();
  const put = (key: string, values: readonly string[]) => void keys.set(key.toLowerCase(), values);
  // With azp, that is what `:aud` holds, and the aud claim is in `:oaud`.
  const azp = textClaim(claims, "azp");
  put(`${provider}:aud`, azp === null ? audiences(claims) : [azp]);
  if (azp !== null) put(`${provider}:oaud`, audiences(claims));
  const sub = textClaim(claims, "sub");
  if (sub !== null) put(`${provider}:sub`, [sub]);
  const amr = own(claims, "amr");
  if (Array.isArray(amr)) put(`${provider}:amr`, amr.map(String));
  for (const [tag, values] of tags) put(`aws:RequestTag/${tag}`, values);
  if (tags.size > 0) put("aws:TagKeys", [...tags.keys()]);
  put("aws:SecureTransport", ["true"]);
  put("aws:EpochTime", [String(now)]);
  put("aws:CurrentTime", [new Date(now * 1000).toISOString()]);
  return {
    provider,
    tags,
    actions: [
      assumeRole,
      ...(tags.size > 0 ? [tagSession] : []),
      ...(textClaim(claims, sourceIdentityClaim) === null ? [] : ["sts:SetSourceIdentity"]),
    ],
    valuesOf(key) {
      const lower = key.toLowerCase();
      const known = keys.get(lower);
      if (known !== undefined) return known;
      // Any other key of an OIDC provider, and tags that the token does not carry, are not in the request.
      const isAbsent = isProviderKey(key, provider) || lower.startsWith("aws:requesttag/") || lower === "aws:tagkeys";
      return isAbsent || absentKeys.includes(lower) ? null : "unknown";
    },
  };
}

function sessionTags(claims: TokenClaims): Map<string, readonly string[]> {
  const claim = own(claims, awsTagsClaim);
  const found = new Map<string, readonly string[]>();
  if (typeof claim !== "object" || claim === null) return found;
  const tags = own(claim as Record<string, unknown>, "principal_tags");
  for (const [tag, values] of Object.entries(typeof tags === "object" && tags !== null ? tags : {})) {
    found.set(tag, (Array.isArray(values) ? values : [values]).map(String));
  }
  return found;
}

/** `HOST:claim` of an OIDC provider, or of SAML; keys of AWS itself begin with a word without a dot. */
function isProviderKey(key: string, provider: string): boolean {
  const host = key.slice(0, Math.max(0, key.lastIndexOf(":"))).toLowerCase();
  return host === provider.toLowerCase() || host === "saml" || (host.split("/")[0] ?? "").includes(".");
}
