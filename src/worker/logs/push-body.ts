/** Reads a push's body, counting what comes: a declared length may be absent or a lie. */
import { type Bytes, concat } from "../lib/bytes.ts";

/** Bytes asked for at once: a read for every packet costs more than what is done with them. */
const readBytes = 512 * 1024;

/** The whole body, or null as soon as it is longer than `bytesMax`. */
export async function readBounded(body: ReadableStream<Uint8Array> | null, bytesMax: number): Promise<Bytes | null> {
  if (body === null) return new Uint8Array();
  const chunks: Bytes[] = [];
  let size = 0;
  const reader = body.getReader({ mode: "byob" });
  for (;;) {
    const { done, value } = await reader.readAtLeast(readBytes, new Uint8Array(readBytes));
    size += value?.length ?? 0;
    if (size > bytesMax) {
      await reader.cancel("too long");
      return null;
    }
    if (value !== undefined) chunks.push(value as Bytes);
    // Fewer than asked for is the end: asking again would take another buffer for nothing.
    if (done || value.length < readBytes)
      return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : concat(...chunks);
  }
}
