/** What is wrong with a subject, or a pattern of subjects, in whatever cloud's policy it stands. */
import type { TrustFinding } from "../protocol/trust.ts";
import { idSubjectForm, subjectForm } from "./subject.ts";

/** Where a policy's wildcards are: `*` and `?` in AWS, `*` in Vault. */
export interface SubjectPattern {
  readonly at: string;
  readonly text: string;
  readonly wildcards: RegExp | null;
  /** Longest subject that this cloud takes. */
  readonly bytesMax: number;
}

export function lintSubject({ at, text, wildcards, bytesMax }: SubjectPattern): TrustFinding[] {
  const finding = (rule: string, severity: TrustFinding["severity"], message: string, fix: string): TrustFinding => ({
    rule,
    severity,
    at,
    message,
    fix,
  });
  const wild = wildcards === null ? -1 : text.search(wildcards);
  if (wild >= 0) return lintPattern(finding, text, wild);
  const findings: TrustFinding[] = [];
  if (/^org:.*:ref_type:fork:/.test(text) || /^[^:]+:[0-9a-f-]{36}:[^:]+:fk:/.test(text)) {
    const message = "jobs of a fork are trusted: whoever may fork the repository writes what they run";
    findings.push(finding("fork-trusted", "error", message, "trust branches that are merged"));
  }
  if (text.length > bytesMax) {
    const fix =
      "ask the preview for the subject that such a job has (it ends in ~ and a hash), or use another subject form";
    findings.push(
      finding("subject-too-long", "error", `${text.length} characters, and subjects end at ${bytesMax}`, fix),
    );
  }
  if (!isSubject(text) && isSubject(lowered(text))) {
    const fix = "write all before the ref's own name in lower case";
    findings.push(finding("case-mismatch", "error", "subjects are compared by case: none is written so", fix));
  } else if (!isSubject(text)) {
    const fix = "write it as signalbox trust generate prints it: org:ORG:project:ID:repo:REPO:ref_type:TYPE:ref:REF";
    findings.push(finding("foreign-subject", "warning", "no Signalbox token has such a subject", fix));
  }
  return findings;
}

type MakeFinding = (rule: string, severity: TrustFinding["severity"], message: string, fix: string) => TrustFinding;

/** All of a subject that tells projects and kinds of ref apart. */
export const subjectUpToRef = /^org:[^:]+:project:[^:]+:repo:[^:]+:ref_type:[^:]+:ref:refs\/(heads|tags|pull)\//;

/** Whether what such a short subject leaves open is more than the ref's name. */
export function isOpenSub127(beginning: string): boolean {
  return !/^[^:]+:[0-9a-f-]{36}:[^:]+:(br|tg):(heads|tags)\//.test(beginning);
}

/** A wildcard is safe behind `:ref:refs/…/` alone, and there at a slash: before it, it fits other projects. */
function lintPattern(finding: MakeFinding, text: string, wild: number): TrustFinding[] {
  const before = text.slice(0, wild);
  if (!subjectUpToRef.test(before)) {
    const fix = "write organization, project id, repository and ref_type out; leave a wildcard to the end of the ref";
    return [
      finding("wildcard-subject", "error", "the wildcard stands where it fits other projects or kinds of ref", fix),
    ];
  }
  if (/:ref_type:(pr|pull-request|fork):/.test(before)) {
    const fix = "trust branches that are merged, or one pull request by its whole subject";
    return [finding("wildcard-subject", "error", "any pull request is trusted before anybody has read it", fix)];
  }
  if (!before.endsWith("/")) {
    const fix = "let the wildcard follow a slash, or write the whole ref";
    return [finding("look-alike", "error", "it also fits refs that only begin alike, as main-x does with main*", fix)];
  }
  if (wild < text.length - 1) {
    const fix = "end the pattern with the wildcard: long subjects are cut, and their ends are hashes";
    return [finding("wildcard-inside", "warning", "what follows the wildcard does not hold for cut subjects", fix)];
  }
  if (/:ref:refs\/(heads|tags)\/$/.test(before)) {
    const fix = "name the protected refs: whoever may push any branch may get this token";
    return [finding("wildcard-subject", "warning", "every branch or tag of the project is trusted", fix)];
  }
  return [];
}

const id = /^[0-9a-f-]{36}$/;
const name = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** Subjects name the project by its id: one by its name never fits. */
function isSubject(text: string): boolean {
  if (isSub127(text)) return true;
  const [, orgId, projectId] = idSubjectForm.exec(text) ?? [];
  if (orgId !== undefined && projectId !== undefined) return id.test(orgId) && id.test(projectId);
  const [, org = "", project = "", repo = "", type = "", ref = ""] = subjectForm.exec(text) ?? [];
  const isKind = /^(branch|tag|pr|pull-request|fork)$/.test(type) && /^refs\/(heads|tags|pull)\//.test(ref);
  return name.test(org) && id.test(project) && name.test(repo) && isKind;
}

/** All but the ref's own name. */
function lowered(text: string): string {
  const own = /^org:.*?:ref:refs\/[^/]*\//is.exec(text)?.[0] ?? text;
  return own.toLowerCase() + text.slice(own.length);
}

function isSub127(text: string): boolean {
  return /^[^:]+:[0-9a-f-]{36}:[^:]+:(br|tg|pr|fk):.+$/.test(text) && text.length <= 127;
}
