import { concat } from "../../../src/worker/lib/bytes.ts";
import type { Lines } from "../../../src/worker/logs/lines.ts";

/** These lines, each with its end. */
export function linesOf(...lines: readonly Uint8Array[]): Lines {
  let end = 0;
  return { bytes: concat(...lines), ends: lines.map(({ length }) => (end += length)) };
}
