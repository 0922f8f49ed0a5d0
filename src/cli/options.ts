/** Values of options: parsed where the command line is read, refused with the option's name. */
import { InvalidArgumentError } from "commander";
import { CertificateFingerprint } from "../protocol/agent-types.ts";
import { GitRef, GitSha, refTypeOf } from "../protocol/git-context.ts";

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("must be a whole number.");
  return Number(text);
}

const units = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Null as an option's value would be lost: commander takes it for none. */
export type Lifetime = number | "never";
export type Uses = number | "unlimited";

/** `90s`, `15m`, `1h`, `30d`, in seconds. */
export function lifetime(text: string): Lifetime {
  if (text === "never") return text;
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  if (!match) throw new InvalidArgumentError("must be a number and s, m, h or d, such as 15m, or never.");
  return Number(match[1]) * units[match[2] as keyof typeof units];
}

/** A moment as Unix seconds: so long ago (`90s`, `15m`), or RFC 3339 (`2026-11-20T18:10:00Z`); without a zone it is UTC. */
export function moment(text: string, now = Date.now()): number {
  const ago = /^\d{1,9}[smhd]$/.test(text) ? lifetime(text) : "never";
  if (ago !== "never") return Math.floor(now / 1000) - ago;
  const isTime = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text);
  const at = isTime ? Date.parse(/^[^T ]+$|(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`) : Number.NaN;
  if (Number.isNaN(at))
    throw new InvalidArgumentError("must be how long ago, such as 15m, or a time: 2026-11-20T18:10:00Z.");
  return Math.floor(at / 1000);
}

export function uses(text: string): Uses {
  return text === "unlimited" ? text : wholeNumber(text);
}

/** As the API says it: null is without end. */
export function orNull(value: Lifetime | Uses): number | null {
  return typeof value === "number" ? value : null;
}

/** An option that may be given several times. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** The same, of some words alone. */
export function collectOf<Choice extends string>(choices: readonly Choice[]) {
  return (value: string, before: Choice[] | undefined): Choice[] => {
    const choice = choices.find((each) => each === value);
    if (choice === undefined) throw new InvalidArgumentError(`It must be one of ${choices.join(", ")}.`);
    return [...(before ?? []), choice];
  };
}

/** A certificate's fingerprint as the API takes it, from openssl's line, with colons or without, repeatable. */
export function collectFingerprints(text: string, before: string[] | undefined): string[] {
  const bare = text
    .replace(/^sha256 fingerprint=/i, "")
    .replaceAll(":", "")
    .toLowerCase();
  if (CertificateFingerprint.safeParse(bare).success) return [...(before ?? []), bare];
  throw new InvalidArgumentError("It must be a SHA-256 fingerprint: 64 hexadecimal digits, with colons or without.");
}

export type Pair = readonly [name: string, value: string];

/** An option of pairs such as `NAME=VALUE` that may be given several times; names are checked by the server. */
export function collectPairs(form: string, separator: string, values: { mayBeEmpty?: boolean } = {}) {
  return (text: string, before: Pair[] | undefined): Pair[] => {
    const at = text.indexOf(separator);
    const isWhole = at > 0 && (values.mayBeEmpty || at + separator.length < text.length);
    if (!isWhole) throw new InvalidArgumentError(`It must have the form ${form}.`);
    return [...(before ?? []), [text.slice(0, at), text.slice(at + separator.length)]];
  };
}

/** A ref that a caller may start a job on: a pull request's takes the git host's word. */
export function gitRef(text: string): string {
  const isStartable = GitRef.safeParse(text).success && ["branch", "tag"].includes(refTypeOf(text) ?? "");
  if (!isStartable) throw new InvalidArgumentError("It must be a full ref: refs/heads/… or refs/tags/….");
  return text;
}

export function gitSha(text: string): string {
  if (GitSha.safeParse(text).success) return text;
  throw new InvalidArgumentError("It must be a full commit id: 40 or 64 digits of lower-case hex.");
}
