/** What is unsafe, or never fits, in a role of Vault's or OpenBao's JWT auth method; without a token. */
import type { TrustFinding } from "../../protocol/trust.ts";
import { defaultAudience, lintIssuer } from "../issuer-lint.ts";
import { isClaim, isRefClaim, neverSays, pinsKind, pinsProject, pinsRef } from "../pins.ts";
import { lintSubject } from "../subject-lint.ts";
import { parseVaultRole, tokenAlgorithm, type VaultConfig, type VaultRole } from "./policy.ts";

/** Clocks differ by seconds. */
const leewaySecondsMax = 300;

/** @throws PolicyError for a role that does not parse. */
export function lintVault(text: string): TrustFinding[] {
  const { role, config } = parseVaultRole(text);
  return [
    ...lintConfig(config),
    ...lintAlgorithms(config?.jwt_supported_algs ?? [], "config"),
    ...lintAlgorithms(role.jwt_supported_algs, "role"),
    ...lintRole(role),
    ...lintAudience(role, config),
    ...lintBounds(role),
    ...lintClaims(role),
  ];
}

function lintConfig(config: VaultConfig | undefined): TrustFinding[] {
  const findings: TrustFinding[] = [];
  if (config?.oidc_discovery_url) findings.push(...lintIssuer(config.oidc_discovery_url, "config.oidc_discovery_url"));
  if (config?.bound_issuer) findings.push(...lintIssuer(config.bound_issuer, "config.bound_issuer"));
  const keys = config?.jwks_url || config?.jwt_validation_pubkeys.length || config?.jwks_pairs?.length;
  if (keys && !config?.bound_issuer) {
    const message = "with keys alone nobody looks at the issuer";
    findings.push({ rule: "missing-issuer", severity: "error", at: "config", message, fix: "set bound_issuer" });
  }
  return findings;
}

/** An empty list is all algorithms. */
function lintAlgorithms(algorithms: readonly string[], where: "config" | "role"): TrustFinding[] {
  if (algorithms.length === 0 || algorithms.includes(tokenAlgorithm)) return [];
  const at = `${where}.jwt_supported_algs`;
  const whole = `the tokens are signed with ${tokenAlgorithm}, and ${algorithms.join(", ")} alone would be taken: none fits`;
  // Tried on OpenBao 2.7.2, which takes such a role, and its tokens all the same.
  const message = where === "config" ? whole : `a role has no such field, and in the mount's configuration ${whole}`;
  const severity = where === "config" ? "error" : "warning";
  return [{ rule: "unsupported-algorithm", severity, at, message, fix: `add ${tokenAlgorithm}` }];
}

function lintAudience({ bound_audiences: audiences }: VaultRole, config: VaultConfig | undefined): TrustFinding[] {
  const issuer = config?.bound_issuer || config?.oidc_discovery_url;
  return issuer && audiences.includes(issuer) ? [defaultAudience("bound_audiences")] : [];
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
  if ((role.clock_skew_leeway ?? 0) > leewaySecondsMax) {
    const message = `tokens are taken ${role.clock_skew_leeway} s after they expired`;
    add("long-leeway", "warning", "clock_skew_leeway", message, "leave it out: the default is 60 s");
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

/** Claims that the role compares, with the texts of which one must fit; what a glob leaves open is `*`. */
function comparedClaims(role: VaultRole): [claim: string, texts: readonly string[]][] {
  const isGlob = role.bound_claims_type === "glob";
  const texts = (bound: unknown) =>
    [bound].flat().map((value) => (isGlob && String(value).includes("*") ? "*" : String(value)));
  const claims = Object.entries(role.bound_claims ?? {}).map(([name, bound]): [string, string[]] => [
    name.replace(/^\//, ""),
    texts(bound),
  ]);
  return role.bound_subject ? [...claims, ["sub", [role.bound_subject]]] : claims;
}

function lintBounds(role: VaultRole): TrustFinding[] {
  const compared = comparedClaims(role);
  const asked = (fits: (claim: string, text: string) => boolean) =>
    compared.some(([claim, texts]) => texts.every((text) => fits(claim, text)));
  const names = (wanted: string) => compared.some(([claim]) => claim === wanted);
  const findings: TrustFinding[] = [];
  const add = (rule: string, message: string, fix: string) =>
    findings.push({ rule, severity: "error", at: "bound_claims", message, fix });
  if (!asked(pinsProject)) add("missing-project", "jobs of any project of the issuer fit", "bind prj_id");
  if (!asked(pinsRef)) add("missing-ref", "jobs on any ref fit, pull requests too", "bind ref and ref_type");
  if (names("branch") && !asked(pinsKind)) {
    const message = "branch alone does not say that it is a branch build: elsewhere a pull request has its target's";
    add("branch-without-ref-type", message, "also bind ref_type to branch");
  }
  if (names("pr")) add("title-condition", "whoever opens a pull request writes its title", "bind pr_number");
  if (compared.some(([claim, texts]) => claim === "fork" && texts.some((text) => text !== "false"))) {
    const message = "jobs of forks are trusted: whoever may fork the repository writes what they run";
    add("fork-trusted", message, 'bind fork to "false"');
  }
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
  if (!isClaim(name) && !name.includes("/")) {
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
    const form = value.includes("*") ? null : neverSays(name, value);
    if (form !== null) add("never-fits", "error", `${name} is never ${value}`, `it is written ${form}`);
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
  if (!isRefClaim(claim)) {
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
