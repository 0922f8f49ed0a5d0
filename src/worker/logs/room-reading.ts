/** A room's answers to who reads its log by HTTP, a page at a time. */
import type { LogStore } from "./log-store.ts";
import { type EventsPage, readPage } from "./page.ts";
import type { TextLength, TextMark, TextMeasure } from "./text-marks.ts";
import { TextMarksStore } from "./text-marks-store.ts";

/** Where the text has at most so much before it. */
export interface TextPlace {
  readonly measure: TextMeasure;
  readonly atMost: number;
}

/** A page, and the mark that it begins at. */
export interface MarkedPage {
  readonly mark: TextMark;
  readonly page: EventsPage;
}

/** What readers have found out of a log's text. */
export interface FoundText {
  readonly marks: readonly TextMark[];
  /** The end of a final log. */
  readonly end: TextMark | null;
}

/** Where a final log's events end, and how long its text is; null where nobody has found out yet. */
export interface FinalText {
  readonly position: number;
  readonly length: TextLength | null;
}

export class RoomReading {
  readonly #store: LogStore;
  readonly #marks: TextMarksStore;

  constructor(store: LogStore, storage: DurableObjectStorage) {
    this.#store = store;
    this.#marks = new TextMarksStore(storage);
  }

  page({ from, maxBytes }: { from: number; maxBytes: number }): EventsPage {
    const { head, lastSeq, result } = this.#store.state();
    return readPage(
      (seq) => this.#store.record(seq),
      { lastSeq, isFinal: result !== null },
      { from: Math.min(from, head), bytesMax: maxBytes },
    );
  }

  pageNear({ measure, atMost }: TextPlace, maxBytes: number): MarkedPage {
    const mark = this.#marks.last(measure, atMost);
    return { mark, page: this.page({ from: mark.position, maxBytes }) };
  }

  /** Null where the log is not final. */
  finalText(): FinalText | null {
    const { head, result } = this.#store.state();
    return result === null ? null : { position: head, length: this.#marks.length() };
  }

  keep({ marks, end }: FoundText): void {
    // It was emptied since, and stays so.
    if (this.#store.state().lastSeq === 0) return;
    this.#marks.keep(marks, end);
  }
}
