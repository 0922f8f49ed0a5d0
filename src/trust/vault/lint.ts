/** What is unsafe, or never fits, in a role of Vault's or OpenBao's JWT auth method; without a token. */
import { IdentityClaims } from "../../protocol/identity.ts";
import type { TrustFinding } from "../../protocol/trust.ts";
import { lintIssuer } from "../issuer-lint.ts";
import { lintSubject } from "../subject-lint.ts";
import { parseVaultRole, type VaultConfig, type VaultRole } from "./policy.ts";

const projectClaims = ["prj_id", "sub", "sub127"];
const refClaims = ["ref", "sub", "sub127", "branch", "tag", "ref_protected"];

/** @throws PolicyError for a role that does not parse. */
export function lintVault(text: string): TrustFinding[] {
  const { role, config } = parseVaultRole(text);
  return [...lintConfig(config), ...lintRole(role), ...lintBounds(role), ...lintClaims(role)];
}

function lintConfig(config: VaultConfig | undefined): TrustFinding[] {
  const findings: TrustFinding[] = [];
  if (config?.oidc_discovery_url) findings.push(...lintIssuer(config.oidc_discovery_url, "config.oidc_discovery_url"));
  if (config?.bound_issuer) findings.push(...lintIssuer(config.bound_issuer, "config.bound_issuer"));
  if (config?.jwks_url && !config.bound_issuer) {
    const message = "with jwks_url alone nobody looks at the issuer";
    findings.push({ rule: "missing-issuer", severity: "error", at: "config", message, fix: "set bound_issuer" });
  }
  return findings;
}

function lintRole(role: VaultRole): TrustFinding[] {
  const findings: TrustFinding[] = [];
  const add = (rule: string, severity: TrustFinding["severity"], at: string, message: string, fix: string) =>
    findings.push({ rule, severity, at, message, fix });
  if (role.role_type !== "jwt")
    add("role-type", "error", "role_type", "a role of type oidc takes no tokens", "write role_type=jwt");
  if (role.bound_audiences.length === 0) {
    const message =
      "Vault 1.17 and later refuse every token that has an audience; before, tokens for other parties fit";
    add("missing-audience", "error", "bound_audiences", message, "set bound_audiences");
  }
  if (role.user_claim === "actor" || role.user_claim === "environment") {
    add(
      "empty-user-claim",
      "warning",
      "user_claim",
      `${role.user_claim} may be empty, or names whoever started the job`,
      "take prj_id or sub",
    );
  }
  if (role.user_claim === "")
    add("missing-user-claim", "error", "user_claim", "Vault demands one", "take prj_id or sub");
  if (role.user_claim === "pr")
    add("title-condition", "error", "user_claim", "whoever opens a pull request writes its title", "take prj_id");
  if (["job_id", "jti", "ppl_id", "wf_id"].includes(role.user_claim)) {
    add(
      "alias-per-job",
      "warning",
      "user_claim",
      "every job becomes an entity of its own, and some licences count them",
      "take prj_id or sub",
    );
  }
  return findings;
}

/** Claims that the role compares, whatever with. */
function comparedClaims(role: VaultRole): Set<string> {
  const names = Object.keys(role.bound_claims ?? {}).map((name) => name.replace(/^\//, ""));
  return new Set([...names, ...(role.bound_subject ? ["sub"] : [])]);
}

function lintBounds(role: VaultRole): TrustFinding[] {
  const claims = comparedClaims(role);
  const names = (wanted: readonly string[]) => wanted.some((name) => claims.has(name));
  const findings: TrustFinding[] = [];
  const add = (rule: string, message: string, fix: string) =>
    findings.push({ rule, severity: "error", at: "bound_claims", message, fix });
  if (!names(projectClaims)) add("missing-project", "jobs of any project of the issuer fit", "bind prj_id");
  if (!names(refClaims)) add("missing-ref", "jobs on any ref fit, pull requests too", "bind ref and ref_type");
  if (claims.has("branch") && !names(["ref_type", "ref", "sub", "sub127"])) {
    const message = "branch alone does not say that it is a branch build: elsewhere a pull request has its target's";
    add("branch-without-ref-type", message, "also bind ref_type to branch");
  }
  if (claims.has("pr")) add("title-condition", "whoever opens a pull request writes its title", "bind pr_number");
  return findings;
}

function lintClaims(role: VaultRole): TrustFinding[] {
  const isGlob = role.bound_claims_type === "glob";
  const bound = Object.entries(role.bound_claims ?? {}).flatMap(([claim, value]) =>
    lintClaim(claim, Array.isArray(value) ? value : [value], isGlob),
  );
  const subject = role.bound_subject
    ? lintSubject({ at: "bound_subject", text: role.bound_subject, wildcards: null, bytesMax: 255 })
    : [];
  return [...bound, ...subject];
}

function lintClaim(claim: string, values: readonly unknown[], isGlob: boolean): TrustFinding[] {
  const at = `bound_claims["${claim}"]`;
  const name = claim.replace(/^\//, "");
  const findings: TrustFinding[] = [];
  const add = (rule: string, severity: TrustFinding["severity"], message: string, fix: string) =>
    findings.push({ rule, severity, at, message, fix });
  if (!Object.hasOwn(IdentityClaims.shape, name) && !name.includes("/")) {
    add(
      "unknown-claim",
      "error",
      "no Signalbox token has this claim: it never fits",
      "see the claims with the identity preview",
    );
  }
  for (const value of values) {
    if (typeof value !== "string") {
      const timed = ["exp", "iat", "nbf"].includes(name);
      if (!timed)
        add(
          "not-text",
          "error",
          `claims are texts, and ${JSON.stringify(value)} is none: it never fits`,
          `write "${String(value)}"`,
        );
      continue;
    }
    if (name === "sub")
      findings.push(...lintSubject({ at, text: value, wildcards: isGlob ? /\*/ : null, bytesMax: 255 }));
    else if (isGlob) findings.push(...lintGlob(at, name, value));
    if (!isGlob && value.includes("*"))
      add("literal-wildcard", "error", "* is taken literally: it never fits", "set bound_claims_type=glob");
  }
  return findings;
}

/** Vault's `*` runs over slashes. */
function lintGlob(at: string, claim: string, value: string): TrustFinding[] {
  const wild = value.indexOf("*");
  if (wild < 0) return [];
  const before = value.slice(0, wild);
  const isRef = claim === "ref";
  if (!refClaims.includes(claim)) {
    const message = "the wildcard stands in a claim that names the project or the kind of ref";
    return [{ rule: "wildcard-claim", severity: "error", at, message, fix: "write the value out" }];
  }
  if (before === "" || !before.endsWith("/") || (isRef && !/^refs\/(heads|tags|pull)\/./.test(before))) {
    const message = "it also fits refs that only begin alike, or all of them";
    return [
      {
        rule: "look-alike",
        severity: "error",
        at,
        message,
        fix: "let the wildcard follow a slash within the ref's name",
      },
    ];
  }
  return [];
}
