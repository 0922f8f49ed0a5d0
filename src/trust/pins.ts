/** Which claims, held to which texts, tell one project's jobs from another's, and one ref from another. */
import { IdentityClaims } from "../protocol/identity.ts";
import { idSubjectForm } from "./subject.ts";

const projectClaims = new Set(["prj_id", "sub", "sub127"]);
const refClaims = new Set(["ref", "sub", "sub127", "branch", "tag"]);
const kindClaims = new Set(["ref", "sub", "sub127"]);

/** Whether it is one of the claims that name refs, held to whatever. */
export function isRefClaim(claim: string): boolean {
  return refClaims.has(claim) || claim === "ref_protected";
}

export function pinsProject(claim: string, text: string): boolean {
  return text !== "" && projectClaims.has(claim);
}

/** `branch` and `tag` are empty on all other refs, so that an empty one names most of them. */
export function pinsRef(claim: string, text: string): boolean {
  if (claim === "ref_protected") return text === "true";
  if (claim === "sub" && idSubjectForm.test(text)) return false;
  return text !== "" && refClaims.has(claim);
}

/** Whether a branch is told from a pull request or tag. `*`: what a wildcard or pattern leaves open. */
export function pinsKind(claim: string, text: string): boolean {
  if (claim === "ref_type") return text !== "" && text !== "*";
  return text !== "" && kindClaims.has(claim);
}

const yesOrNo = ["true", "false"];
const choices: Readonly<Record<string, readonly string[]>> = {
  ref_type: ["branch", "tag", "pr", "fork"],
  fork: yesOrNo,
  ref_protected: yesOrNo,
};

export function isClaim(name: string): boolean {
  return Object.hasOwn(IdentityClaims.shape, name);
}

/** What the claim is written like, where it is never this text; null where it may be. */
export function neverSays(claim: string, text: string): string | null {
  const fitting = Object.hasOwn(choices, claim) ? choices[claim] : undefined;
  if (fitting !== undefined) return fitting.includes(text) ? null : `one of ${fitting.join(", ")}`;
  if (claim === "ref") return text.startsWith("refs/") ? null : `whole: refs/heads/${text}`;
  const isWhole = /^refs\/(heads|tags)\//.test(text);
  return (claim === "branch" || claim === "tag") && isWhole ? "without refs/heads/ or refs/tags/" : null;
}
