/** Values of options: parsed where the command line is read, refused with the option's name. */
import { InvalidArgumentError } from "commander";

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

/** `NAME=anything`, the name checked by the server. */
export function pair(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  if (at < 1) throw new InvalidArgumentError(`${text} must have the form NAME${separator}VALUE.`);
  return [text.slice(0, at), text.slice(at + separator.length)];
}
