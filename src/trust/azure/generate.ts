/** Federated credentials of Microsoft Entra, for az and Terraform: one with the id subject form, matched whole. */
import type { GeneratedTrust, TrustOptions } from "../../protocol/trust.ts";
import { jsonText, profileArtifact, sharedNotes } from "../artifacts.ts";
import { hclQuoted, shellQuoted } from "../quoting.ts";
import { idSubject, type TrustedProject, type TrustedScope } from "../subject.ts";
import { azureAudience } from "./policy.ts";

export function generateAzure(
  project: TrustedProject,
  scopes: readonly TrustedScope[],
  options: TrustOptions,
): GeneratedTrust {
  const audience = options.audience ?? azureAudience;
  const { principal: application = "APPLICATION_ID" } = options.names;
  const name = `signalbox-${project.project.name}`.replaceAll(".", "-");
  const credential = { name, issuer: project.issuer, subject: idSubject(project), audiences: [audience] };
  const policy = jsonText(credential);
  return {
    cloud: "azure",
    audience,
    subject_form: "id",
    policy,
    artifacts: [
      { name: "credential.json", title: "The federated credential", language: "json", text: policy },
      { name: "azure.sh", title: "With az", language: "sh", text: commands(application) },
      { name: "azure.tf", title: "With Terraform", language: "hcl", text: terraform(credential, application) },
      profileArtifact(project, scopes, { name: "azure", audience, form: "id" }),
      { name: "job.sh", title: "In the job", language: "sh", text: jobCommands(application, audience) },
    ],
    notes: [
      ...sharedNotes(scopes),
      "Entra matches whole subjects and knows no wildcards. The id subject names the project alone: which refs may have it, the identity profile decides. Give no other profile this audience with the id form.",
    ],
  };
}

function commands(application: string): string {
  return `az ad app federated-credential create --id ${application} --parameters credential.json
az ad app federated-credential list --id ${application}
`;
}

function terraform(
  credential: { name: string; issuer: string; subject: string; audiences: string[] },
  id: string,
): string {
  return `resource "azuread_application_federated_identity_credential" "signalbox" {
  application_id = ${hclQuoted(`/applications/${id}`)}
  display_name   = ${hclQuoted(credential.name)}
  issuer         = ${hclQuoted(credential.issuer)}
  subject        = ${hclQuoted(credential.subject)}
  audiences      = [${credential.audiences.map(hclQuoted).join(", ")}]
}
`;
}

function jobCommands(application: string, audience: string): string {
  return `umask 077
signalbox token request --audience ${shellQuoted(audience)} --subject id --output "$HOME/azure-token"
az login --service-principal --username ${application} --tenant TENANT_ID \\
  --federated-token "$(cat "$HOME/azure-token")"
`;
}
