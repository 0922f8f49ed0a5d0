/** Identifiers: UUID version 7 (RFC 9562 section 5.7), so that rows sort by the time they were made. */
import { type Random, toHex } from "./bytes.ts";
import type { EpochMs } from "./time.ts";

export function uuidv7(now: EpochMs, random: Random): string {
  const bytes = random(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(now / 2 ** 32));
  view.setUint32(2, now % 2 ** 32);
  view.setUint8(6, 0x70 | (view.getUint8(6) & 0x0f));
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** What a create answers. */
export interface Created<Value> {
  readonly value: Value;
  /** False where the client's own id had made it before. */
  readonly isNew: boolean;
}
