/**
 * The `sub` claim, in the forms `semaphore` (255 characters, OpenID Connect Core section 2) and `sub127` (127
 * bytes, Google's limit on google.subject). Injective: no two different contexts give one subject.
 */
import type { OrganizationSettings } from "../../protocol/accounts.ts";
import type { ClaimedRefType } from "../../protocol/git-context.ts";
import { sha256 } from "../crypto/digests.ts";
import { lengthPrefixed, toBase32, utf8 } from "../lib/bytes.ts";

export interface SubjectParts {
  readonly org: string;
  readonly projectId: string;
  readonly repo: string;
  readonly refType: ClaimedRefType;
  readonly ref: string;
  /** How `sub` spells the type of a pull request; `pr` where the organization says nothing. */
  readonly pullRequestWord?: OrganizationSettings["pull_request_word"];
}

const subjectCharsMax = 255;
const sub127BytesMax = 127;
const hashChars = 26;
const shortRefTypes = { branch: "br", tag: "tg", pr: "pr", fork: "fk" } as const satisfies Record<
  ClaimedRefType,
  string
>;

/** Semaphore CI's template, word for word. */
export function subject(parts: SubjectParts): Promise<string> {
  const { org, projectId, repo, refType, ref, pullRequestWord = "pr" } = parts;
  const word = refType === "pr" ? pullRequestWord : refType;
  const whole = `org:${org}:project:${projectId}:repo:${repo}:ref_type:${word}:ref:${ref}`;
  return cut(percentEncode(whole), subjectCharsMax, parts);
}

/** The short form for relying parties that count bytes. */
export function subject127(parts: SubjectParts): Promise<string> {
  const { org, projectId, repo, refType, ref } = parts;
  const whole = [org, projectId, repo, shortRefTypes[refType], ref.replace(/^refs\//, "")].join(":");
  return cut(percentEncode(whole), sub127BytesMax, parts);
}

/**
 * A subject that is too long keeps its beginning and ends in `~` and a hash of all its parts. `~` is forbidden in
 * git refs and in our names, so that a cut subject never equals a verbatim one, and no branch can be named into
 * another's cut form.
 */
async function cut(encoded: string, charsMax: number, parts: SubjectParts): Promise<string> {
  if (encoded.length <= charsMax) return encoded;
  const { org, projectId, repo, refType, ref } = parts;
  const hash = toBase32(await sha256(lengthPrefixed(org, projectId, repo, refType, ref))).slice(0, hashChars);
  // Half a percent escape would not decode.
  const kept = encoded.slice(0, charsMax - hashChars - 1).replace(/%.?$/, "");
  return `${kept}~${hash}`;
}

/** `%` and every non-ASCII byte as `%XX`; the result is ASCII, so that characters are bytes. */
function percentEncode(text: string): string {
  return text.replace(/[%\u0080-\u{10ffff}]+/gu, (run) =>
    Array.from(utf8(run), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}
