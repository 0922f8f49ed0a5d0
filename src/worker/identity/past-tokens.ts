/**
 * The tokens that a job had: no token is kept, but the ledger and the audit record of each mint say enough to make its
 * claims again from the job. What they no longer say is told, and not guessed.
 */
import * as z from "zod";
import { awsTagsClaim, ClaimName, type IdentityClaims } from "../../protocol/identity.ts";
import { AwsTagClaim, SubjectForm } from "../../protocol/identity-profiles.ts";
import type { TokenClaims } from "../../protocol/trust.ts";
import { listDetailsOfJob } from "../audit/audit-store.ts";
import { tagsClaim } from "./aws-tags.ts";
import { chosenClaims, type IdentityContext, identityClaims } from "./claims.ts";
import { listPastMints, type PastMint } from "./ledger-store.ts";

export interface PastToken {
  readonly mint: PastMint;
  /** Null where no record of it is left, and its subject is of no form that the job would have now. */
  readonly subject: SubjectForm | null;
  readonly claims: TokenClaims;
  readonly tags: Readonly<Record<string, string>>;
  /** What was chosen of its claims; null: all. */
  readonly chosen: readonly ClaimName[] | null;
  /** Why the claims may not be wholly those that it had, or null. */
  readonly doubt: string | null;
}

const recordGone =
  "the audit record of this mint is gone: which session tags it had, and which claims it left out, nobody knows";

const words = <Word extends string>(word: z.ZodType<Word, string>) =>
  z
    .string()
    .transform((text) => text.split(" ").filter((each) => each !== ""))
    .pipe(z.array(word));
/** The details of an `identity.mint`, as token-requests.ts writes them; a default token's say less. */
const Details = z.object({
  jti: z.string(),
  subject: SubjectForm.default("semaphore"),
  tags: words(AwsTagClaim).default([]),
  claims: z.union([z.literal("all").transform(() => null), words(ClaimName)]).default(null),
});
type Details = z.output<typeof Details>;

/** @param context of the job, as its tokens would be made now. Newest first. */
export async function pastTokens(db: D1Database, context: IdentityContext): Promise<PastToken[]> {
  const [mints, records] = await Promise.all([
    listPastMints(db, context.jobId),
    listDetailsOfJob(db, context.jobId, "identity.mint"),
  ]);
  const details = new Map(records.flatMap((record) => parsedDetails(record)).map((each) => [each.jti, each]));
  // A default token's audience is the issuer of its day.
  const issuer = mints.find(({ isDefault }) => isDefault)?.aud ?? context.issuer;
  return Promise.all(mints.map((mint) => pastToken({ ...context, issuer }, mint, details.get(mint.jti) ?? null)));
}

function parsedDetails(record: unknown): Details[] {
  const parsed = Details.safeParse(record);
  return parsed.success ? [parsed.data] : [];
}

async function pastToken(context: IdentityContext, mint: PastMint, details: Details | null): Promise<PastToken> {
  const subject = details?.subject ?? (mint.isDefault ? "semaphore" : await formOf(context, mint));
  const made = await identityClaims(context, mint, subject ?? "semaphore");
  // The token's own, whatever the organization's word for pull requests has become. Other names never change.
  const claims: IdentityClaims = { ...made, sub: mint.sub };
  const { tags = [], claims: chosen = null } = details ?? {};
  return {
    mint,
    subject,
    claims: {
      ...chosenClaims(claims, chosen),
      ...(tags.length > 0 && { [awsTagsClaim]: tagsClaim(claims, tags) }),
    },
    tags: Object.fromEntries(tags.map((tag) => [tag, String(claims[tag])])),
    chosen,
    doubt: details === null && !mint.isDefault ? recordGone : null,
  };
}

/** Of a token whose audit row is gone: by what its subject looks like. */
async function formOf(context: IdentityContext, mint: PastMint): Promise<SubjectForm | null> {
  for (const form of SubjectForm.options) {
    if ((await identityClaims(context, mint, form)).sub === mint.sub) return form;
  }
  return null;
}
