/**
 * A role of Vault's and OpenBao's JWT auth method: its fields, what `vault read -format=json auth/jwt/role/NAME`
 * prints (`data`), or `{"config": {…}, "role": {…}}` with the mount's configuration.
 */
import * as z from "zod";
import { fitting, hasField, readYaml } from "../yaml-text.ts";

/** Vault takes a list as a comma-separated text too. */
const Texts = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(",").map((each) => each.trim()))])
  .nullish()
  .transform((list) => (list ?? []).filter((each) => each !== ""));
const Seconds = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^-?\d+s?$/)
      .transform((text) => Number.parseInt(text, 10)),
  ])
  .nullish();

const Role = z.object({
  role_type: z.string().default("jwt"),
  user_claim: z.string().default(""),
  user_claim_json_pointer: z.boolean().nullish(),
  bound_audiences: Texts,
  bound_subject: z.string().nullish(),
  bound_claims: z.record(z.string(), z.unknown()).nullish(),
  bound_claims_type: z.string().nullish(),
  groups_claim: z.string().nullish(),
  token_bound_cidrs: Texts,
  clock_skew_leeway: Seconds,
  claim_mappings: z.record(z.string(), z.string()).nullish(),
  /** Vault has it in the mount's configuration alone, and passes over it here; who writes it means it. */
  jwt_supported_algs: Texts,
});
export type VaultRole = z.output<typeof Role>;

const Config = z.object({
  bound_issuer: z.string().nullish(),
  oidc_discovery_url: z.string().nullish(),
  jwks_url: z.string().nullish(),
  jwt_validation_pubkeys: Texts,
  jwks_pairs: z.array(z.unknown()).nullish(),
  jwt_supported_algs: Texts,
});
export type VaultConfig = z.output<typeof Config>;

const Both = z.object({ config: Config.optional(), role: Role });

/** Of Signalbox's tokens. Vault compares names of algorithms by case. */
export const tokenAlgorithm = "RS256";

/** @throws PolicyError for what does not parse. */
export function parseVaultRole(text: string): { role: VaultRole; config: VaultConfig | undefined } {
  const document = readYaml(text);
  // By what it has, not by what fits: else a role that does not fit would be read as another form, of no fields.
  if (hasField(document, "role")) {
    const { role, config } = fitting(Both, document);
    return { role, config };
  }
  const role = hasField(document, "data") ? fitting(Role, document.data, "data") : fitting(Role, document);
  return { role, config: undefined };
}
