/** Snowflake and Databricks, in short: both match whole subjects, so that the id form names the project. */
import type { GeneratedTrust, TrustOptions } from "../protocol/trust.ts";
import { jsonText, profileArtifact, sharedNotes } from "./artifacts.ts";
import { shellQuoted, sqlQuoted } from "./quoting.ts";
import { idSubject, type TrustedProject, type TrustedScope } from "./subject.ts";

const profileNote =
  "The id subject names the project alone: which refs may have it, the identity profile decides. Give no other profile this audience with the id form.";

export function generateSnowflake(
  project: TrustedProject,
  scopes: readonly TrustedScope[],
  options: TrustOptions,
): GeneratedTrust {
  const audience = options.audience ?? "snowflakecomputing.com";
  const { principal: user = "SIGNALBOX" } = options.names;
  const policy = `ALTER USER "${user}" ADD WORKLOAD IDENTITY signalbox
  TYPE = OIDC
  ISSUER = ${sqlQuoted(project.issuer)}
  SUBJECT = ${sqlQuoted(idSubject(project))}
  OIDC_AUDIENCE_LIST = (${sqlQuoted(audience)});
`;
  return {
    cloud: "snowflake",
    audience,
    subject_form: "id",
    policy,
    artifacts: [
      { name: "snowflake.sql", title: "The user's workload identity", language: "sql", text: policy },
      profileArtifact(project, scopes, { name: "snowflake", audience, form: "id" }),
    ],
    notes: [...sharedNotes(scopes), profileNote],
  };
}

export function generateDatabricks(
  project: TrustedProject,
  scopes: readonly TrustedScope[],
  options: TrustOptions,
): GeneratedTrust {
  const audience = options.audience ?? "databricks";
  const { account: principal = "SERVICE_PRINCIPAL_ID" } = options.names;
  const policy = jsonText({
    oidc_policy: { issuer: project.issuer, audiences: [audience], subject: idSubject(project) },
  });
  const command = `databricks account service-principal-federation-policy create ${principal} --json ${shellQuoted(policy.trim())}\n`;
  return {
    cloud: "databricks",
    audience,
    subject_form: "id",
    policy,
    artifacts: [
      { name: "policy.json", title: "The service principal's federation policy", language: "json", text: policy },
      { name: "databricks.sh", title: "With the databricks command", language: "sh", text: command },
      profileArtifact(project, scopes, { name: "databricks", audience, form: "id" }),
    ],
    notes: [...sharedNotes(scopes), profileNote, "A service principal takes 20 policies."],
  };
}
