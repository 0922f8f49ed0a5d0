/** Claims as AWS session tags (IAM, "Passing session tags using AssumeRoleWithWebIdentity"). Pure. */
import type { IdentityClaims } from "../../protocol/identity.ts";
import type { AwsTagClaim } from "../../protocol/identity-profiles.ts";
import { invalidField } from "../lib/fault.ts";

/** AWS's own alphabet for tag values, and their length. */
const tagValue = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

/**
 * What AWS reads session tags from.
 * @throws Fault `invalid_request` for a value that AWS would not take: it is never altered, since a policy could not
 *   tell the altered value from a real one.
 */
export function awsTags(claims: IdentityClaims, tags: readonly AwsTagClaim[]) {
  const bad = tags.find((tag) => !tagValue.test(claims[tag]));
  if (bad !== undefined) {
    throw invalidField("/aws_session_tags", `the value of ${bad} has characters that AWS takes in no tag`);
  }
  return tagsClaim(claims, tags);
}

/** The claim, as AWS reads it. */
export function tagsClaim(claims: IdentityClaims, tags: readonly AwsTagClaim[]) {
  return { principal_tags: Object.fromEntries(tags.map((tag) => [tag, [claims[tag]]])), transitive_tag_keys: [] };
}
