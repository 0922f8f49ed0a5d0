/**
 * Parts of a log's text, read from the mark before them instead of from the log's beginning. Who reads where no marks are
 * known yet leaves some for who comes next.
 */
import type { LogLine } from "../../protocol/log-reading.ts";
import type { ByteRange } from "../lib/byte-range.ts";
import { LineFinder } from "./log-lines.ts";
import type { LogReader } from "./log-reader.ts";
import { type Ansi, pagesOf, textPieces, within } from "./log-text.ts";
import { textsOf } from "./plain-read.ts";
import { type TextLength, TextMarker, type TextMeasure } from "./text-marks.ts";

/** Stored bytes of a page near a mark: what is asked for lies on it, mostly. Parsed, it takes several times as much. */
const nearBytes = 1024 * 1024;

/** Fewer were passed where marks are known, too: they are told to the room for nothing. */
const newMarks = 8;

const measures = { keep: "bytes", strip: "stripped" } as const satisfies Record<Ansi, TextMeasure>;

/** How many bytes a text of this length has. */
export function bytesOf(length: TextLength, ansi: Ansi): number {
  return length[measures[ansi]];
}

/** How long a final log's text is: read to its end by the first who asks. */
export async function readLength(log: LogReader): Promise<TextLength> {
  const { mark, page: first } = await log.readNear({ measure: "bytes", atMost: Number.MAX_SAFE_INTEGER }, nearBytes);
  const marker = new TextMarker(mark);
  let { position } = mark;
  for await (const page of pagesOf(log, { from: position, first })) {
    marker.take(position, textsOf(page));
    position = page.next;
  }
  await log.keepText({ marks: marker.marks, end: { position, ...marker.length } });
  return marker.length;
}

/** The bytes of a range of the text. */
export async function* textPart(
  log: LogReader,
  ansi: Ansi,
  { first, end }: ByteRange,
): AsyncGenerator<Uint8Array, void> {
  const { mark, page } = await log.readNear({ measure: measures[ansi], atMost: first }, nearBytes);
  const before = bytesOf(mark, ansi);
  const pieces = textPieces(log, { from: mark.position, first: page, ansi });
  yield* within(pieces, { first: first - before, end: end - before });
}

/** Line `number`, from 1; null where the log has no such line, yet or ever. */
export async function findLine(log: LogReader, number: number): Promise<LogLine | null> {
  const { mark, page: first } = await log.readNear({ measure: "lines", atMost: number - 1 }, nearBytes);
  const finder = new LineFinder(number, mark.lines);
  const marker = new TextMarker(mark);
  let { position } = mark;
  let found: LogLine | null = null;
  let isFinal = false;
  for await (const page of pagesOf(log, { from: position, first }, nearBytes)) {
    const texts = textsOf(page);
    found = firstOf(texts, (text, index) => finder.take(position + index, text));
    if (found !== null) break;
    marker.take(position, texts);
    position = page.next;
    isFinal = page.isFinal;
  }
  if (marker.marks.length >= newMarks) await log.keepText({ marks: marker.marks, end: null });
  return found ?? finder.rest(isFinal);
}

function firstOf<Found>(texts: readonly string[], find: (text: string, index: number) => Found | null): Found | null {
  for (const [index, text] of texts.entries()) {
    const found = find(text, index);
    if (found !== null) return found;
  }
  return null;
}
