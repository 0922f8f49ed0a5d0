/**
 * A workload identity pool provider, as `gcloud iam workload-identity-pools providers describe` prints it (JSON or
 * YAML); `members` is ours: the IAM members that a role or a service account is granted to, where they are known.
 */
import * as z from "zod";
import { parseYamlText } from "../yaml-text.ts";

const Provider = z.object({
  name: z.string().optional(),
  disabled: z.boolean().default(false),
  state: z.string().optional(),
  attributeMapping: z.record(z.string(), z.string()).default({}),
  attributeCondition: z.string().default(""),
  oidc: z.object({
    issuerUri: z.string(),
    allowedAudiences: z.array(z.string()).default([]),
  }),
  members: z.array(z.string()).default([]),
});
export type GoogleProvider = z.output<typeof Provider>;

/** @throws PolicyError for what does not parse. */
export function parseGoogleProvider(text: string): GoogleProvider {
  return parseYamlText(text, Provider);
}

/** Mappings see the token alone; conditions see what was mapped too. */
export const mappingDialect = { variables: ["assertion"], extract: true, optionals: false };
export const googleDialect = { variables: ["assertion", "google", "attribute"], extract: true, optionals: false };

/** Google's documented limits ("Workload Identity Federation": attribute mapping and condition). */
export const googleLimits = {
  subjectBytes: 127,
  mappings: 50,
  mappingChars: 2048,
  conditionChars: 4096,
  mappedBytes: 8192,
  tokenLifeSeconds: 48 * 3600,
  audiences: 10,
} as const;
