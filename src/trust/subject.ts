/** The subject of Signalbox's tokens, as policies name it. The issuer alone makes the cut ones: they hold a hash. */
import type { OrganizationSettings } from "../protocol/accounts.ts";
import { type RefType, refTypeOf } from "../protocol/git-context.ts";
import { PolicyError } from "./policy-error.ts";

/** Whose tokens are trusted. */
export interface TrustedProject {
  readonly issuer: string;
  readonly org: { readonly id: string; readonly name: string; readonly settings?: OrganizationSettings };
  readonly project: { readonly id: string; readonly name: string };
  /** The repository's name, as in `sub`. */
  readonly repo: string;
}

/** A ref, or all refs that begin so, with the subject that its jobs have, or that theirs begin with. */
export interface TrustedScope {
  readonly type: RefType;
  /** `refs/heads/main`, or the prefix `refs/heads/release/`. */
  readonly ref: string;
  readonly exact: boolean;
  readonly sub: string;
}

/** Longer subjects end in `~` and a hash (src/worker/identity/subject.ts). */
const subjectCharsMax = 255;
/** So much of a cut subject is its beginning: 255 less `~` and 26 characters, less a broken escape. */
const keptCharsMin = subjectCharsMax - 27 - 2;

export const subjectForm = /^org:([^:]*):project:([^:]*):repo:([^:]*):ref_type:([^:]*):ref:(.*)$/s;
export const idSubjectForm = /^org_id:([^:]*):prj_id:([^:]*)$/;

export function idSubject({ org, project }: TrustedProject): string {
  return `org_id:${org.id}:prj_id:${project.id}`;
}

/**
 * @param subjects what the issuer says of refs whose subject is cut; others need no asking.
 * @throws PolicyError for a subject that only the issuer knows.
 */
export function scopeOf(
  project: TrustedProject,
  trusted: string,
  subjects: Readonly<Record<string, string>> = {},
): TrustedScope {
  const exact = !trusted.endsWith("**");
  const ref = exact ? trusted : trusted.slice(0, -2);
  const type = refTypeOf(exact ? ref : typical(ref));
  if (type === null) throw new PolicyError(trusted, "no job can run on it");
  const plain = plainSubject(project, type, ref);
  if (!exact && plain.length > keptCharsMin) throw new PolicyError(trusted, "is too long a prefix: subjects are cut");
  const sub = subjects[trusted] ?? plain;
  if (sub.length > subjectCharsMax) {
    throw new PolicyError(
      trusted,
      "its subject is cut and ends in a hash, which only the server knows: name --project",
    );
  }
  return { type, ref, exact, sub };
}

/** A ref under a prefix. */
function typical(prefix: string): string {
  return prefix === "refs/pull/" ? "refs/pull/1/merge" : `${prefix}x`;
}

function plainSubject({ org, project, repo }: TrustedProject, type: RefType, ref: string): string {
  const word = type === "pr" ? (org.settings?.pull_request_word ?? "pr") : type;
  return percentEncode(`org:${org.name}:project:${project.id}:repo:${repo}:ref_type:${word}:ref:${ref}`);
}

function percentEncode(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return Array.from(bytes, (byte) =>
    byte === 0x25 || byte >= 0x80 ? `%${byte.toString(16).toUpperCase()}` : String.fromCharCode(byte),
  ).join("");
}
