/** A workload identity pool and its provider, for gcloud and Terraform. */
import type { GeneratedTrust, TrustOptions } from "../../protocol/trust.ts";
import { claimCondition, jsonText, profileArtifact, sharedNotes } from "../artifacts.ts";
import { hclQuoted, shellQuoted } from "../quoting.ts";
import type { TrustedProject, TrustedScope } from "../subject.ts";

const mapping = {
  "google.subject": "assertion.sub127",
  "attribute.prj_id": "assertion.prj_id",
  "attribute.ref": "assertion.ref",
};

export function generateGoogle(
  project: TrustedProject,
  scopes: readonly TrustedScope[],
  options: TrustOptions,
): GeneratedTrust {
  const { account: number = "123456789012", pool = "signalbox", provider = project.project.name } = options.names;
  const name = `projects/${number}/locations/global/workloadIdentityPools/${pool}/providers/${provider}`;
  const audience = options.audience ?? `https://iam.googleapis.com/${name}`;
  const condition = claimCondition("assertion", project, scopes);
  const principal = options.names.principal ?? "deployer@PROJECT_ID.iam.gserviceaccount.com";
  const member = `principalSet://iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools/${pool}/attribute.prj_id/${project.project.id}`;
  const policy = jsonText({
    name,
    attributeMapping: mapping,
    attributeCondition: condition,
    oidc: { issuerUri: project.issuer, allowedAudiences: [audience] },
    members: [member],
  });
  const setup = { project, pool, provider, audience, condition, principal, member };
  return {
    cloud: "gcp",
    audience,
    subject_form: "semaphore",
    policy,
    artifacts: [
      { name: "provider.json", title: "The provider, as lint and explain read it", language: "json", text: policy },
      { name: "gcloud.sh", title: "With gcloud", language: "sh", text: commands(setup) },
      { name: "google.tf", title: "With Terraform", language: "hcl", text: terraform(setup) },
      profileArtifact(project, scopes, { name: "gcp", audience, form: "semaphore" }),
      { name: "job.sh", title: "In the job", language: "sh", text: jobCommands(name, audience, principal) },
    ],
    notes: [
      ...sharedNotes(scopes),
      "google.subject holds 127 bytes: it is mapped from sub127, which is cut with a hash, and never from sub.",
    ],
  };
}

interface Setup {
  readonly project: TrustedProject;
  readonly pool: string;
  readonly provider: string;
  readonly audience: string;
  readonly condition: string;
  readonly principal: string;
  readonly member: string;
}

function commands({ project, pool, provider, audience, condition, principal, member }: Setup): string {
  const mappings = Object.entries(mapping).map((pair) => pair.join("="));
  return `gcloud iam workload-identity-pools create ${pool} --location global
gcloud iam workload-identity-pools providers create-oidc ${provider} \\
  --location global --workload-identity-pool ${pool} \\
  --issuer-uri ${shellQuoted(project.issuer)} \\
  --allowed-audiences ${shellQuoted(audience)} \\
  --attribute-mapping ${shellQuoted(mappings.join(","))} \\
  --attribute-condition ${shellQuoted(condition)}
gcloud iam service-accounts add-iam-policy-binding ${principal} \\
  --role roles/iam.workloadIdentityUser \\
  --member ${shellQuoted(member)}
`;
}

function terraform({ project, pool, provider, audience, condition, principal, member }: Setup): string {
  const rows = Object.entries(mapping).map(([target, claim]) => `    ${hclQuoted(target)} = ${hclQuoted(claim)}`);
  return `resource "google_iam_workload_identity_pool" "signalbox" {
  workload_identity_pool_id = ${hclQuoted(pool)}
}

resource "google_iam_workload_identity_pool_provider" "signalbox" {
  workload_identity_pool_id          = google_iam_workload_identity_pool.signalbox.workload_identity_pool_id
  workload_identity_pool_provider_id = ${hclQuoted(provider)}
  attribute_mapping = {
${rows.join("\n")}
  }
  attribute_condition = ${hclQuoted(condition)}
  oidc {
    issuer_uri        = ${hclQuoted(project.issuer)}
    allowed_audiences = [${hclQuoted(audience)}]
  }
}

resource "google_service_account_iam_member" "signalbox" {
  service_account_id = ${hclQuoted(`projects/-/serviceAccounts/${principal}`)}
  role               = "roles/iam.workloadIdentityUser"
  member             = ${hclQuoted(member)}
}
`;
}

function jobCommands(name: string, audience: string, principal: string): string {
  return `umask 077
signalbox token request --audience ${shellQuoted(audience)} --output "$HOME/google-token"
gcloud iam workload-identity-pools create-cred-config ${name} \\
  --service-account ${principal} \\
  --credential-source-file "$HOME/google-token" --output-file "$HOME/google.json"
gcloud auth login --cred-file "$HOME/google.json"
`;
}
