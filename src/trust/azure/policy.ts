/**
 * Federated identity credentials of a Microsoft Entra application or managed identity, as `az … federated-credential
 * list` or `show` prints them: one, a list, or Graph's `{"value": […]}`.
 */
import * as z from "zod";
import { PolicyError } from "../policy-error.ts";
import { fitting, hasField, readYaml } from "../yaml-text.ts";

const Credential = z.object({
  name: z.string().optional(),
  issuer: z.string(),
  subject: z.string().nullish(),
  audiences: z.array(z.string()),
  claimsMatchingExpression: z.unknown().optional(),
});
export type AzureCredential = z.output<typeof Credential>;

const Credentials = z.array(Credential);

/** Microsoft's documented limits ("Workload identity federation: important considerations"). */
export const azureLimits = { chars: 600, credentials: 20 } as const;
export const azureAudience = "api://AzureADTokenExchange";

/** @throws PolicyError for what does not parse. */
export function parseAzureCredentials(text: string): AzureCredential[] {
  const document = readYaml(text);
  const credentials = Array.isArray(document)
    ? fitting(Credentials, document)
    : hasField(document, "value")
      ? fitting(Credentials, document.value, "value")
      : [fitting(Credential, document)];
  if (credentials.length === 0) throw new PolicyError("", "holds no federated credential");
  return credentials;
}

export function placeOfCredential({ name }: AzureCredential, index: number): string {
  return name === undefined ? `credential ${index}` : `credential ${index} (${name})`;
}
