/** Kubernetes' structured authentication configuration (apiserver.config.k8s.io, AuthenticationConfiguration). */
import * as z from "zod";
import { parseYamlText } from "../yaml-text.ts";

const text = z.string();
/** The API server reads strictly, and takes either a claim or an expression (k8s.io/apiserver, ValidateAuthenticationConfiguration). */
const either = ({
  claim,
  prefix,
  expression,
}: {
  claim?: string | undefined;
  prefix?: string | undefined;
  expression?: string | undefined;
}) => expression === undefined || (claim === undefined && prefix === undefined);
const eitherMessage = "has an expression, and a claim or prefix beside it: the API server takes one of them";
const Mapping = z
  .strictObject({ claim: text.optional(), prefix: text.optional(), expression: text.optional() })
  .refine(either, eitherMessage);
export type KubernetesMapping = z.output<typeof Mapping>;

const Authenticator = z.strictObject({
  issuer: z.strictObject({
    url: text,
    discoveryURL: text.optional(),
    certificateAuthority: text.optional(),
    egressSelectorType: text.optional(),
    audiences: z.array(text).default([]),
    audienceMatchPolicy: text.optional(),
  }),
  claimValidationRules: z
    .array(
      z
        .strictObject({
          claim: text.optional(),
          requiredValue: text.default(""),
          expression: text.optional(),
          message: text.optional(),
        })
        .refine(either, eitherMessage),
    )
    .nullish()
    .transform((rules) => rules ?? []),
  claimMappings: z.strictObject({
    username: Mapping,
    groups: Mapping.optional(),
    uid: Mapping.optional(),
    extra: z.array(z.strictObject({ key: text, valueExpression: text })).default([]),
  }),
  userValidationRules: z
    .array(z.strictObject({ expression: text, message: text.optional() }))
    .nullish()
    .transform((rules) => rules ?? []),
});
export type KubernetesAuthenticator = z.output<typeof Authenticator>;

const Configuration = z.strictObject({
  apiVersion: text.regex(/^apiserver\.config\.k8s\.io\/v1(alpha1|beta1)?$/, "must be apiserver.config.k8s.io/v1"),
  kind: z.literal("AuthenticationConfiguration"),
  anonymous: z.unknown().optional(),
  jwt: z.array(Authenticator).min(1),
});

/** @throws PolicyError for what does not parse. */
export function parseKubernetesConfiguration(policy: string): KubernetesAuthenticator[] {
  return parseYamlText(policy, Configuration).jwt;
}

export const claimsDialect = { variables: ["claims"], extract: false, optionals: true };
export const userDialect = { variables: ["user"], extract: false, optionals: true };
