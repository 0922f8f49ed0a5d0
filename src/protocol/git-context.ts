/**
 * The git context: what a job runs on, and how that was proven. No caller claims it: a caller names a ref and
 * a commit, the rest follows from the project and from verified webhook events.
 */
import * as z from "zod";
import { limits } from "./limits.ts";

export const RefType = z.enum(["branch", "tag", "pr"]);
export type RefType = z.infer<typeof RefType>;

/**
 * As tokens say it: a job of a fork is none of the repository's own, on whatever ref, so that no policy for branches,
 * tags or pull requests lets it in.
 */
export const ClaimedRefType = z.enum([...RefType.options, "fork"]);
export type ClaimedRefType = z.infer<typeof ClaimedRefType>;

/** What started the job. */
export const Trigger = z.enum(["webhook", "api", "schedule", "rerun"]);
export type Trigger = z.infer<typeof Trigger>;

/** How the ref was proven: by the git host's signed event, or by the word of an authorised API caller. */
export const RefProof = z.enum(["webhook", "api"]);
export type RefProof = z.infer<typeof RefProof>;

const encoder = new TextEncoder();

/**
 * A full git reference that passes `git check-ref-format` (its rules 1 to 10, plus the `refs/` prefix).
 * Git forbids control characters, space, `~ ^ : ? * [ \`, `..`, `@{`, a component that begins with `.` or
 * ends in `.lock`, and a trailing `/` or `.`.
 */
export const GitRef = z
  .string()
  .refine((ref) => encoder.encode(ref).length <= limits.refBytes, `must be at most ${limits.refBytes} bytes`)
  .refine(isFullRef, "must be a full git reference such as refs/heads/main");
export type GitRef = z.infer<typeof GitRef>;

/** A commit: SHA-1 or SHA-256, in full. */
export const GitSha = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, "must be a full commit id in lower case hex");

export const PullRequest = z.object({
  number: z.int().positive(),
  title: z.string(),
  /** Branch that the pull request comes from. */
  branch: z.string(),
});
export type PullRequest = z.infer<typeof PullRequest>;

export const GitContext = z.object({
  ref: GitRef,
  ref_type: RefType,
  sha: GitSha,
  /** The project protects this ref. Decided when the job was started. */
  ref_protected: z.boolean(),
  fork: z.boolean(),
  /** Present for pull requests, and only when a verified event told it. */
  pull_request: PullRequest.nullable(),
  trg: Trigger,
  proof: RefProof,
});
export type GitContext = z.infer<typeof GitContext>;

/** The type of a ref by its prefix, or null where it is none that a job can run on. */
export function refTypeOf(ref: string): RefType | null {
  if (ref.startsWith("refs/heads/")) return "branch";
  if (ref.startsWith("refs/tags/")) return "tag";
  if (/^refs\/pull\/[1-9][0-9]*\/./.test(ref)) return "pr";
  return null;
}

/** `main` of `refs/heads/main`, `v1` of `refs/tags/v1`; a pull request's ref has no short form. */
export function shortRef(ref: string): string {
  return ref.replace(/^refs\/(heads|tags)\//, "");
}

function isFullRef(ref: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: git forbids them, so this refuses them
  if (/[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|[/.]$/.test(ref)) return false;
  const parts = ref.split("/");
  if (parts.length < 3 || parts[0] !== "refs") return false;
  return ref.isWellFormed() && parts.every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"));
}
