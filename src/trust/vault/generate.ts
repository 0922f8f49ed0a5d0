/** A role of Vault's or OpenBao's JWT auth method, as commands and Terraform. */
import type { GeneratedTrust, TrustOptions } from "../../protocol/trust.ts";
import { jsonText, profileArtifact, sharedNotes } from "../artifacts.ts";
import { PolicyError } from "../policy-error.ts";
import { hclQuoted, shellQuoted } from "../quoting.ts";
import type { TrustedProject, TrustedScope } from "../subject.ts";

export function generateVault(
  project: TrustedProject,
  scopes: readonly TrustedScope[],
  options: TrustOptions,
): GeneratedTrust {
  const audience = options.audience ?? "vault";
  const {
    principal: name = project.project.name,
    pool: mount = "jwt",
    scope: policyName = "POLICY_NAME",
  } = options.names;
  const role = roleOf(project, scopes, audience, policyName);
  const policy = jsonText(role);
  return {
    cloud: "vault",
    audience,
    subject_form: "semaphore",
    policy,
    artifacts: [
      { name: "role.json", title: "The role", language: "json", text: policy },
      {
        name: "vault.sh",
        title: "With the vault or bao command",
        language: "sh",
        text: commands(project.issuer, mount, name),
      },
      {
        name: "vault.tf",
        title: "With Terraform",
        language: "hcl",
        text: terraform(project.issuer, mount, name, role),
      },
      profileArtifact(project, scopes, { name: "vault", audience, form: "semaphore" }),
      { name: "job.sh", title: "In the job", language: "sh", text: jobCommands(mount, name, audience) },
    ],
    notes: [...sharedNotes(scopes), "user_claim is prj_id: one entity for the project, not one for every job."],
  };
}

type Role = ReturnType<typeof roleOf>;

/** Bounds are joined by and, a list's values by or: several kinds of ref would fit crosswise, but a ref tells its kind. */
function roleOf(project: TrustedProject, scopes: readonly TrustedScope[], audience: string, policyName: string) {
  const isGlob = scopes.some(({ exact }) => !exact);
  return {
    role_type: "jwt",
    user_claim: "prj_id",
    bound_audiences: [audience],
    bound_claims_type: isGlob ? "glob" : "string",
    bound_claims: {
      org_id: project.org.id,
      prj_id: project.project.id,
      fork: "false",
      ref_type: unwrapped([...new Set(scopes.map(({ type }) => type))]),
      ref: unwrapped(scopes.map(({ ref, exact }) => globbed(ref, exact))),
    },
    token_policies: [policyName],
    token_ttl: "15m",
    token_max_ttl: "1h",
  };
}

/** Git forbids `*` in refs; were there one, the glob would trust more than it was told to. */
function globbed(ref: string, exact: boolean): string {
  if (ref.includes("*")) throw new PolicyError(ref, "holds a wildcard");
  return exact ? ref : `${ref}*`;
}

function unwrapped(values: readonly string[]): string | readonly string[] {
  const [only] = values;
  return values.length === 1 && only !== undefined ? only : values;
}

function commands(issuer: string, mount: string, name: string): string {
  return `vault auth enable -path=${mount} jwt
vault write auth/${mount}/config oidc_discovery_url=${shellQuoted(issuer)} bound_issuer=${shellQuoted(issuer)}
vault write auth/${mount}/role/${name} @role.json
`;
}

function terraform(issuer: string, mount: string, name: string, role: Role): string {
  // The provider splits every text in bound_claims at its commas, also one that was no list: a branch that is called
  // `x,refs/heads/main` would let main in.
  const claims = Object.entries(role.bound_claims).map(
    ([claim, value]) => `    ${claim} = ${typeof value === "string" ? hclQuoted(value) : hclQuoted(value.join(","))}`,
  );
  if ([role.bound_claims.ref].flat().some((ref) => ref.includes(","))) {
    return "# Terraform's provider splits refs at commas, and one of them holds a comma: use the commands.\n";
  }
  return `resource "vault_jwt_auth_backend" "signalbox" {
  path               = ${hclQuoted(mount)}
  oidc_discovery_url = ${hclQuoted(issuer)}
  bound_issuer       = ${hclQuoted(issuer)}
}

resource "vault_jwt_auth_backend_role" "signalbox" {
  backend           = vault_jwt_auth_backend.signalbox.path
  role_name         = ${hclQuoted(name)}
  role_type         = "jwt"
  user_claim        = ${hclQuoted(role.user_claim)}
  bound_audiences   = [${role.bound_audiences.map(hclQuoted).join(", ")}]
  bound_claims_type = ${hclQuoted(role.bound_claims_type)}
  bound_claims = {
${claims.join("\n")}
  }
  token_policies = [${role.token_policies.map(hclQuoted).join(", ")}]
  token_ttl      = 900
  token_max_ttl  = 3600
}
`;
}

function jobCommands(mount: string, name: string, audience: string): string {
  return `umask 077
signalbox token request --audience ${shellQuoted(audience)} --output "$HOME/vault-jwt"
VAULT_TOKEN="$(vault write -field=token auth/${mount}/login role=${name} jwt=@"$HOME/vault-jwt")"
export VAULT_TOKEN
`;
}
