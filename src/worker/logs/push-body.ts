/** Reads a push's body, counting what comes: a declared length may be absent or a lie. */
import { type Bytes, concat } from "../lib/bytes.ts";

/** The whole body, or null as soon as it is longer than `bytesMax`. */
export async function readBounded(body: ReadableStream<Uint8Array> | null, bytesMax: number): Promise<Bytes | null> {
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(...chunks);
    size += value.length;
    if (size > bytesMax) {
      await reader.cancel("too long");
      return null;
    }
    chunks.push(value);
  }
}
