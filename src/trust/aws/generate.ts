/** The trust policy of an IAM role, for IAM itself, the aws command and Terraform. */
import type { GeneratedTrust, TrustOptions } from "../../protocol/trust.ts";
import { jsonText, profileArtifact, sharedNotes } from "../artifacts.ts";
import { hclLiteral, hclQuoted, shellQuoted } from "../quoting.ts";
import type { TrustedProject, TrustedScope } from "../subject.ts";
import { assumeRole, tagSession } from "./request.ts";

const usualAudience = "sts.amazonaws.com";

export function generateAws(
  project: TrustedProject,
  scopes: readonly TrustedScope[],
  options: TrustOptions,
): GeneratedTrust {
  const audience = options.audience ?? usualAudience;
  const { account = "111122223333", principal: role = "ROLE_NAME" } = options.names;
  const host = project.issuer.replace(/^https:\/\//, "");
  const provider = `arn:aws:iam::${account}:oidc-provider/${host}`;
  const policy = jsonText(trustPolicy(host, provider, audience, scopes, options.session_tags));
  const profile = profileArtifact(project, scopes, { name: "aws", audience, form: "semaphore" });
  return {
    cloud: "aws",
    audience,
    subject_form: "semaphore",
    policy,
    artifacts: [
      { name: "trust-policy.json", title: "The role's trust policy", language: "json", text: policy },
      { name: "aws.sh", title: "With the aws command", language: "sh", text: commands(project.issuer, audience, role) },
      {
        name: "aws.tf",
        title: "With Terraform",
        language: "hcl",
        text: terraform(project.issuer, audience, role, policy, provider),
      },
      profile,
      { name: "job.sh", title: "In the job", language: "sh", text: jobCommands(account, role, audience) },
    ],
    notes: [
      ...sharedNotes(scopes),
      "IAM looks at sub and aud alone: it cannot see ref_type, fork or any other claim by itself, which is why sub names them.",
    ],
  };
}

function trustPolicy(
  host: string,
  provider: string,
  audience: string,
  scopes: readonly TrustedScope[],
  tags: boolean,
): unknown {
  const subjects = scopes.map(({ exact, sub }) => literal(sub) + (exact ? "" : "*"));
  const sub = { [`${host}:sub`]: subjects.length === 1 ? subjects[0] : subjects };
  const aud = { [`${host}:aud`]: literal(audience) };
  const isExact = scopes.every(({ exact }) => exact);
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Federated: provider },
        Action: tags ? [assumeRole, tagSession] : assumeRole,
        Condition: isExact ? { StringEquals: { ...aud, ...sub } } : { StringEquals: aud, StringLike: sub },
      },
    ],
  };
}

/** A git ref may hold `${`, which IAM would take for a policy variable; `*` and `?` it may not. */
function literal(text: string): string {
  return text.replace(/[$*?]/g, (character) => `\${${character}}`);
}

function commands(issuer: string, audience: string, role: string): string {
  return `aws iam create-open-id-connect-provider --url ${shellQuoted(issuer)} --client-id-list ${shellQuoted(audience)}
aws iam create-role --role-name ${role} --assume-role-policy-document file://trust-policy.json
# or, for a role that exists:
aws iam update-assume-role-policy --role-name ${role} --policy-document file://trust-policy.json
`;
}

function terraform(issuer: string, audience: string, role: string, policy: string, provider: string): string {
  const document = hclLiteral(policy.trimEnd()).replaceAll("\n", "\n  ");
  const arn = JSON.stringify(provider);
  return `resource "aws_iam_openid_connect_provider" "signalbox" {
  url            = ${hclQuoted(issuer)}
  client_id_list = [${hclQuoted(audience)}]
}

resource "aws_iam_role" "signalbox" {
  name               = ${hclQuoted(role)}
  assume_role_policy = <<-POLICY
  ${document.replaceAll(arn, `"$\{aws_iam_openid_connect_provider.signalbox.arn}"`)}
  POLICY
}
`;
}

function jobCommands(account: string, role: string, audience: string): string {
  return `umask 077
signalbox token request --audience ${shellQuoted(audience)} --output "$HOME/aws-token"
export AWS_ROLE_ARN=arn:aws:iam::${account}:role/${role}
export AWS_WEB_IDENTITY_TOKEN_FILE="$HOME/aws-token"
export AWS_ROLE_SESSION_NAME="job-$SEMAPHORE_JOB_ID"
aws sts get-caller-identity
`;
}
