/** A log as text or as it is stored, streamed a page at a time: whatever its length, no more than a page is held. */
import type { ByteRange } from "../lib/byte-range.ts";
import { utf8 } from "../lib/bytes.ts";
import { Fault } from "../lib/fault.ts";
import type { LogReader } from "./log-reader.ts";
import type { EventsPage } from "./page.ts";
import { pageAsText } from "./plain-read.ts";
import { createAnsiStripper } from "./strip-ansi.ts";

/** Stored bytes of one page: a reader goes on at `next`. */
export const pageBytes = 4 * 1024 * 1024;

export type Ansi = "keep" | "strip";

interface Start {
  readonly from?: number;
  /** The page at `from`, where it was read already. */
  readonly first?: EventsPage;
}

/**
 * The log's pages from a position on, up to where the log stood when its end was reached.
 * @throws Fault `log_deleted` where that came between: a reader must not take a part, or nothing, for the whole.
 */
export async function* pagesOf(
  log: LogReader,
  { from = 0, first }: Start = {},
  maxBytes = pageBytes,
): AsyncGenerator<EventsPage, void> {
  let position = from;
  let page = first ?? (await log.read({ from, maxBytes }));
  for (;;) {
    yield page;
    // A page without events that goes on further down is a gap: the log goes on behind it.
    if (page.isFinal || page.next <= position) return;
    position = page.next;
    page = await log.read({ from: position, maxBytes });
    if (page.next < position) throw new Fault("log_deleted", "the log was deleted while it was read");
  }
}

/** Pieces of the text from a position on. */
export async function* textPieces(
  log: LogReader,
  { ansi = "keep", ...start }: Start & { readonly ansi?: Ansi } = {},
): AsyncGenerator<Uint8Array, void> {
  const shown = ansi === "strip" ? createAnsiStripper() : (text: string) => text;
  for await (const page of pagesOf(log, start)) {
    const text = shown(pageAsText(page));
    if (text !== "") yield utf8(text);
  }
}

/** The stored events, in the very bytes that their digest was made of. */
export async function* eventPieces(log: LogReader): AsyncGenerator<Uint8Array, void> {
  for await (const { events } of pagesOf(log)) if (events.length > 0) yield events;
}

/** The bytes of a range; nothing is asked for behind its end. */
export async function* within(
  pieces: AsyncIterable<Uint8Array>,
  { first, end }: ByteRange,
): AsyncGenerator<Uint8Array, void> {
  let at = 0;
  for await (const piece of pieces) {
    const part = piece.subarray(Math.max(0, first - at), Math.max(0, end - at));
    at += piece.length;
    if (part.length > 0) yield part;
    if (at >= end) return;
  }
}

/** Takes the first piece at once: what forbids that the log be read is answered, and breaks no answer that has begun. */
export async function begun(pieces: AsyncGenerator<Uint8Array, void>): Promise<AsyncGenerator<Uint8Array, void>> {
  const first = await pieces.next();
  async function* all() {
    if (first.done) return;
    yield first.value;
    yield* pieces;
  }
  return all();
}

/** Asks for a piece only when the reader takes one: who is slow, or asked for the headers alone, costs nothing. */
export function asStream(pieces: AsyncGenerator<Uint8Array, void>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return();
      },
    },
    { highWaterMark: 0 },
  );
}
