/** What is unsafe in a condition over claims, in Google's and Kubernetes' expressions. */
import type { ASTNode } from "@marcbachmann/cel-js";
import type { TrustFinding } from "../protocol/trust.ts";
import { childrenOf } from "./cel-cost.ts";
import {
  attributeIn,
  type ClaimNames,
  type Comparison,
  claimOf,
  comparisonsIn,
  demands,
  namedClaim,
} from "./cel-demands.ts";
import { reachOf } from "./cel-pattern.ts";
import { isClaim, neverSays, pinsKind, pinsProject, pinsRef } from "./pins.ts";
import { isOpenSub127, lintSubject, subjectUpToRef } from "./subject-lint.ts";

type Add = (rule: string, severity: TrustFinding["severity"], message: string, fix: string) => void;

/** @param trees conditions, all of which must be true. */
export function lintExpression(trees: readonly ASTNode[], at: string, names: ClaimNames): TrustFinding[] {
  const findings: TrustFinding[] = [];
  const add: Add = (rule, severity, message, fix) => findings.push({ rule, severity, at, message, fix });
  const nodes = trees.flatMap(nodesOf);
  lintDemands(trees, nodes, names, add);
  for (const node of nodes) lintCall(node, names, add);
  for (const each of trees.flatMap((tree) => comparisonsIn(tree, names))) {
    if (each.claim === "sub" && each.how !== "pattern") findings.push(...lintSub(each, at));
    else lintComparison(each, add);
  }
  return unique(findings);
}

/** What is demanded on every way to true: a claim on one side of `||` alone is not. */
function lintDemands(trees: readonly ASTNode[], nodes: readonly ASTNode[], names: ClaimNames, add: Add): void {
  const { variable } = names;
  const claims = new Set(nodes.flatMap((node) => claimOf(node, names) ?? namedClaim(node, names) ?? []));
  const asked = (fits: (claim: string, text: string) => boolean) =>
    trees.some((tree) => demands(tree, names, ({ claim, how, text }) => fits(claim, how === "exact" ? text : "*")));
  const whole = " (it is demanded on every way to true, or not at all)";
  if (!asked(pinsProject)) {
    const fix = `demand ${variable}.prj_id`;
    add("missing-project", "error", "jobs of any project of the issuer fit", fix + whole);
  }
  if (!asked(pinsRef)) {
    const fix = `demand ${variable}.ref and ${variable}.ref_type`;
    add("missing-ref", "error", "jobs on any ref fit, pull requests too", fix + whole);
  }
  if (claims.has("branch") && !asked(pinsKind)) {
    const message = "branch alone does not say that it is a branch build: elsewhere a pull request has its target's";
    add("branch-without-ref-type", "error", message, `also demand ${variable}.ref_type == 'branch'`);
  }
  const unknown = nodes.flatMap((node) => claimOf(node, names) ?? []).find((name) => !isClaim(name));
  if (unknown !== undefined) {
    const message = `no Signalbox token has a claim ${unknown}: the condition fails for every token`;
    add("unknown-claim", "error", message, "see the claims with the identity preview");
  }
  if (claims.has("pr")) {
    add("title-condition", "error", "whoever opens a pull request writes its title", `compare ${variable}.pr_number`);
  }
}

function lintCall(node: ASTNode, names: ClaimNames, add: Add): void {
  if (node.op === "!=" || node.op === "!_") {
    add("negative-operator", "warning", "it fits all that it does not name", "say what is trusted, not what is not");
  }
  if (
    node.op === "==" &&
    node.args.some((side) => isNoText(side)) &&
    node.args.some((side) => isTextClaim(side, names))
  ) {
    add("not-text", "error", "claims are texts, and are compared with none: it never fits", "write it in quotes");
  }
  if (node.op !== "rcall" || !nodesOf(node).some((each) => claimOf(each, names) !== null)) return;
  const [method, , [argument]] = node.args;
  const text = argument?.op === "value" && typeof argument.args === "string" ? argument.args : null;
  if (method === "startsWith" && text !== null && !/[/:]$/.test(text)) {
    const message = "a beginning that does not end in a slash fits look-alikes: main-x for main";
    add("look-alike", "error", message, "end it in a slash, or compare with ==");
  }
  if (method === "contains" || method === "endsWith") {
    const fix = "compare with ==, or startsWith() up to a slash";
    add("look-alike", "error", `${method}() fits a name within longer ones`, fix);
  }
  if (method === "matches" && text !== null && !reachOf(text).anchored) {
    const fix = "begin the pattern with ^, end it in $, and put alternatives in parentheses";
    add("look-alike", "error", "matches() looks anywhere in the value", fix);
  }
}

function isNoText(node: ASTNode): boolean {
  return node.op === "value" && typeof node.args !== "string";
}

function isTextClaim(node: ASTNode, names: ClaimNames): boolean {
  const claim = claimOf(node, names);
  return claim !== null && !["exp", "iat", "nbf"].includes(claim);
}

function lintSub({ how, text }: Comparison, at: string): TrustFinding[] {
  const isPrefix = how === "prefix";
  const found = lintSubject({
    at,
    text: isPrefix ? `${text}*` : text,
    wildcards: isPrefix ? /\*$/ : null,
    bytesMax: 255,
  });
  // Said already, of startsWith.
  return found.filter(({ rule }) => rule !== "look-alike");
}

function lintComparison({ claim, how, text }: Comparison, add: Add): void {
  if (claim === "fork" && how === "exact" && text === "true") {
    const message = "jobs of forks are trusted: whoever may fork the repository writes what they run";
    add("fork-trusted", "error", message, "demand fork == 'false'");
  }
  if (how === "exact") {
    const form = neverSays(claim, text);
    if (form !== null) add("never-fits", "error", `${claim} is never ${text}`, `it is written ${form}`);
    return;
  }
  const { anchored, beginnings } = how === "prefix" ? { anchored: true, beginnings: [text] } : reachOf(text);
  // Said already, of matches().
  if (!anchored) return;
  for (const beginning of beginnings) {
    const isOpen =
      (claim === "sub" && !subjectUpToRef.test(beginning)) || (claim === "sub127" && isOpenSub127(beginning));
    if (isOpen) {
      const fix = "write organization, project, repository and kind of ref out, or compare prj_id and ref";
      add("wildcard-subject", "error", "what is left open fits other projects or kinds of ref", fix);
    }
    if (claim === "prj_id" && !/^[0-9a-f-]{36}/.test(beginning) && (how === "pattern" || /[/:]$/.test(text))) {
      add("wildcard-claim", "error", "a part of a project's id fits others", "compare prj_id with ==");
    }
    if ((claim === "branch" || claim === "tag") && beginning === "" && how === "pattern") {
      add("wildcard-ref", "error", "every branch or tag is trusted", "name them, or a beginning up to a slash");
    }
    if (claim === "ref" && !/^refs\/(heads|tags|pull)\/./.test(beginning)) {
      const severity = /^refs\/(heads|tags)\//.test(beginning) ? "warning" : "error";
      const message = "every branch or tag, or every ref, of the project is trusted";
      add("wildcard-ref", severity, message, "name the refs, or a beginning within their names");
    }
  }
}

function unique(findings: readonly TrustFinding[]): TrustFinding[] {
  const seen = new Set<string>();
  return findings.filter(({ rule, message }) => {
    const key = `${rule} ${message}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** Attributes that nothing is mapped to: the condition fails on every token. */
export function unmappedAttributes(tree: ASTNode, { mapped }: ClaimNames): string[] {
  const named = nodesOf(tree).flatMap((node) => attributeIn(node) ?? []);
  return [...new Set(named)].filter((name) => !mapped.has(name));
}

function nodesOf(node: ASTNode): ASTNode[] {
  return [node, ...childrenOf(node).flatMap(nodesOf)];
}
