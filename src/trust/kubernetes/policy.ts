/** Kubernetes' structured authentication configuration (apiserver.config.k8s.io, AuthenticationConfiguration). */
import * as z from "zod";
import { parseYamlText } from "../yaml-text.ts";

const text = z.string();
const Mapping = z.object({ claim: text.optional(), prefix: text.optional(), expression: text.optional() });
export type KubernetesMapping = z.output<typeof Mapping>;

const Authenticator = z.object({
  issuer: z.object({
    url: text,
    audiences: z.array(text).default([]),
    audienceMatchPolicy: text.optional(),
  }),
  claimValidationRules: z
    .array(z.object({ claim: text.optional(), requiredValue: text.default(""), expression: text.optional() }))
    .nullish()
    .transform((rules) => rules ?? []),
  claimMappings: z.object({
    username: Mapping,
    groups: Mapping.optional(),
    uid: Mapping.optional(),
    extra: z.array(z.object({ key: text, valueExpression: text })).default([]),
  }),
  userValidationRules: z
    .array(z.object({ expression: text }))
    .nullish()
    .transform((rules) => rules ?? []),
});
export type KubernetesAuthenticator = z.output<typeof Authenticator>;

const Configuration = z.object({
  apiVersion: text.regex(/^apiserver\.config\.k8s\.io\/v1(alpha1|beta1)?$/, "must be apiserver.config.k8s.io/v1"),
  kind: z.literal("AuthenticationConfiguration"),
  jwt: z.array(Authenticator).min(1),
});

/** @throws PolicyError for what does not parse. */
export function parseKubernetesConfiguration(policy: string): KubernetesAuthenticator[] {
  return parseYamlText(policy, Configuration).jwt;
}

export const claimsDialect = { variables: ["claims"], extract: false, optionals: true };
export const userDialect = { variables: ["user"], extract: false, optionals: true };
