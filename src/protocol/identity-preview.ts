/** The token that a job would get, before there is one. */
import * as z from "zod";
import { GitRef, GitSha, PullRequest } from "./git-context.ts";
import { IdentityClaims } from "./identity.ts";
import { SubjectForm } from "./identity-profiles.ts";

/** POST /api/v1/projects/{project_id}/identity/preview: a ref, as a job would have it. */
export const IdentityPreviewRequest = z.strictObject({
  ref: GitRef,
  sha: GitSha.default("0".repeat(40)),
  /** Only a pull request can come from a fork; one without proof counts as one. */
  fork: z.boolean().optional(),
  pull_request: PullRequest.optional(),
});
export type IdentityPreviewRequest = z.infer<typeof IdentityPreviewRequest>;

export const IdentityPreview = z.object({
  /** False where such a job gets no token; `reason` says why. */
  minted: z.boolean(),
  reason: z.string().nullable(),
  header: z.object({ alg: z.literal("RS256"), kid: z.string(), typ: z.literal("JWT") }),
  /** Ids that only a job has are "". */
  claims: IdentityClaims,
  subjects: z.array(
    z.object({
      form: SubjectForm,
      value: z.string(),
      bytes: z.int(),
      /** Too long for its form, and so ending in a hash: match it whole, never by its beginning. */
      cut: z.boolean(),
      fits: z.array(z.object({ relying_party: z.string(), bytes_max: z.int(), fits: z.boolean() })),
    }),
  ),
});
export type IdentityPreview = z.infer<typeof IdentityPreview>;
