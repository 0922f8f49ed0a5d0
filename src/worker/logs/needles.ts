/**
 * From secret values to what is looked for in the log. The raw values rest sealed in the room, with a version of
 * this encoding, and their forms are made anew each time they are opened. Pure.
 */
import * as z from "zod";
import type { SealContext } from "../crypto/sealing.ts";
import { type Bytes, fromUtf8Strict, utf8, utf8Length } from "../lib/bytes.ts";
import { formsOf, formsVersions, trimmed, valueBytesMin } from "./needle-forms.ts";

/** A value that the log must not show, and the name that it has in notices. */
export interface MaskValue {
  readonly name: string;
  readonly value: string;
  /** Looked for as it is alone: a job may be handed hundreds of tokens, and forms cost memory. */
  readonly exact?: boolean;
}

const Masks = z.strictObject({
  version: z.literal(formsVersions),
  values: z.array(z.strictObject({ name: z.string(), value: z.string(), exact: z.boolean().default(false) })),
});

const currentVersion = 2;

/** The bytes to seal for a room. */
export function encodeMasks(values: readonly MaskValue[]): Bytes {
  const masks: z.input<typeof Masks> = {
    version: currentVersion,
    values: values.map(({ name, value, exact = false }) => ({ name, value, exact })),
  };
  return utf8(JSON.stringify(masks));
}

/** The row that sealed masks are bound to: job and claim, so that a former claim's masks do not open for this one. */
export function masksContext(projectId: string, jobId: string, claimNumber: number): SealContext {
  return { purpose: "log_masks", projectId, recordId: jobId, secretVersion: claimNumber, type: "" };
}

/** @throws Error where the bytes are no masks of a version known here; it never quotes them. */
export function needlesOf(masks: Bytes): { readonly needles: readonly string[] } {
  const parsed = Masks.safeParse(parseJson(masks));
  if (!parsed.success) throw new Error("the opened masks have no known form");
  const needles = new Set<string>();
  for (const { value, exact } of parsed.data.values) {
    for (const form of exact ? [value] : formsOf(value, parsed.data.version)) needles.add(form);
  }
  return { needles: [...needles] };
}

/** Bytes of every form of these values: what the log's search table is made of. */
export function needleBytes(values: readonly MaskValue[]): number {
  const forms = values.flatMap(({ value }) => [...formsOf(value, currentVersion)]);
  return forms.reduce((total, form) => total + utf8Length(form), 0);
}

/** The names of values that are too short to be looked for; empty ones hide nothing and are left out. */
export function unmaskable(values: readonly MaskValue[]): string[] {
  return values
    .filter(({ value }) => value !== "" && utf8Length(trimmed(value)) < valueBytesMin)
    .map(({ name }) => name);
}

function parseJson(bytes: Bytes): unknown {
  try {
    return JSON.parse(fromUtf8Strict(bytes));
  } catch {
    // The parser's message would quote the text.
    return undefined;
  }
}
