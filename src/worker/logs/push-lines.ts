/** The body of a push as lines, each looked at once. Pure. */
import { limits } from "../../protocol/limits.ts";
import { concat } from "../lib/bytes.ts";
import type { Lines } from "./lines.ts";
import { OutputFinder, type OutputPlace } from "./output-line.ts";

/** The lines of a push, and where those say their output that say it plainly. */
export interface PushLines extends Lines {
  readonly places: readonly (OutputPlace | null)[];
}

export type PushBody =
  | { readonly kind: "lines"; readonly lines: PushLines }
  /** No line of it so much as begins like an event: this is not a log. */
  | { readonly kind: "malformed" }
  | { readonly kind: "too_many" };

const [newline, openingBrace] = [0x0a, 0x7b];

/** The last line may lack its end. */
export function readPushBody(body: Uint8Array): PushBody {
  const bytes = body.length === 0 || body.at(-1) === newline ? body : concat(body, Uint8Array.of(newline));
  const ends: number[] = [];
  const places: (OutputPlace | null)[] = [];
  const finder = new OutputFinder(bytes);
  let isLog = body.length === 0;
  for (let start = 0; start < bytes.length; ) {
    if (ends.length === limits.logPushEvents) return { kind: "too_many" };
    isLog ||= bytes[start] === openingBrace;
    const place = finder.at(start);
    start = place?.lineEnd ?? bytes.indexOf(newline, start) + 1;
    ends.push(start);
    places.push(place);
  }
  return isLog ? { kind: "lines", lines: { bytes, ends, places } } : { kind: "malformed" };
}
