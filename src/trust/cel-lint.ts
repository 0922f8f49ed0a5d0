/** What is unsafe in a condition over claims, in Google's and Kubernetes' expressions. */
import type { ASTNode } from "@marcbachmann/cel-js";
import type { TrustFinding } from "../protocol/trust.ts";
import { childrenOf } from "./cel.ts";

/** Claims that tell one project from another. */
const projectClaims = ["prj_id", "sub", "sub127"];
const refClaims = ["ref", "sub", "sub127", "branch", "tag", "ref_protected"];

/** @param variable what holds the claims: `assertion`, or `claims`. */
export function lintExpression(tree: ASTNode, at: string, variable: string): TrustFinding[] {
  const claims = new Set(claimsIn(tree, variable));
  const findings: TrustFinding[] = [];
  const add = (rule: string, severity: TrustFinding["severity"], message: string, fix: string) =>
    findings.push({ rule, severity, at, message, fix });
  const names = (wanted: readonly string[]) => wanted.some((name) => claims.has(name));
  if (!names(projectClaims)) {
    add("missing-project", "error", "jobs of any project of the issuer fit", `demand ${variable}.prj_id`);
  }
  if (!names(refClaims)) {
    add(
      "missing-ref",
      "error",
      "jobs on any ref fit, pull requests too",
      `demand ${variable}.ref and ${variable}.ref_type`,
    );
  }
  if (claims.has("branch") && !names(["ref_type", "ref", "sub", "sub127"])) {
    const message = "branch alone does not say that it is a branch build: elsewhere a pull request has its target's";
    add("branch-without-ref-type", "error", message, `also demand ${variable}.ref_type == 'branch'`);
  }
  if (claims.has("pr")) {
    add("title-condition", "error", "whoever opens a pull request writes its title", `compare ${variable}.pr_number`);
  }
  for (const node of nodesOf(tree)) {
    if (node.op === "!=" || node.op === "!_") {
      add("negative-operator", "warning", "it fits all that it does not name", "say what is trusted, not what is not");
    }
    if (isOpenStart(node, variable)) {
      add(
        "look-alike",
        "error",
        "a beginning that does not end in a slash fits look-alikes: main-x for main",
        "end it in a slash, or compare with ==",
      );
    }
    if (node.op === "rcall" && node.args[0] === "contains" && claimsIn(node, variable).length > 0) {
      add(
        "look-alike",
        "error",
        "contains() fits a name anywhere in the value",
        "compare with ==, or startsWith() up to a slash",
      );
    }
    if (node.op === "rcall" && node.args[0] === "matches" && claimsIn(node, variable).length > 0) {
      const pattern = node.args[2][0]?.args;
      if (typeof pattern === "string" && !(pattern.startsWith("^") && pattern.endsWith("$"))) {
        add("look-alike", "error", "matches() looks anywhere in the value", "begin the pattern with ^ and end it in $");
      }
    }
  }
  return unique(findings);
}

function unique(findings: readonly TrustFinding[]): TrustFinding[] {
  return findings.filter(
    (each, at) => findings.findIndex(({ rule, message }) => rule === each.rule && message === each.message) === at,
  );
}

/** `assertion.ref.startsWith('refs/heads/main')`. */
function isOpenStart(node: ASTNode, variable: string): boolean {
  if (node.op !== "rcall" || node.args[0] !== "startsWith" || claimsIn(node, variable).length === 0) return false;
  const prefix = node.args[2][0]?.args;
  return typeof prefix === "string" && !/[/:]$/.test(prefix);
}

function nodesOf(node: ASTNode): ASTNode[] {
  return [node, ...childrenOf(node).flatMap(nodesOf)];
}

/** Names of claims: `assertion.ref`, `assertion['ref']`, and attributes of the same names. */
function claimsIn(node: ASTNode, variable: string): string[] {
  return nodesOf(node).flatMap((each) => {
    if (each.op !== "." && each.op !== ".?" && each.op !== "[]") return [];
    const [from, name] = each.args;
    const isClaims =
      from.op === "id" && (from.args === variable || from.args === "attribute" || from.args === "google_attributes");
    if (!isClaims) return [];
    const text = typeof name === "string" ? name : name.args;
    return typeof text === "string" ? [text === "subject" ? "sub127" : text] : [];
  });
}
