/** What is known of a log's text, in the room's SQLite: marks, and the whole length once somebody read a final log to its end. */
import { hasTables } from "./log-tables-store.ts";
import { firstMark, type TextLength, type TextMark, type TextMeasure } from "./text-marks.ts";

/**
 * Made by the first who keeps a mark: most logs are never read but from their beginning, and a table takes a page. Whoever
 * changes what the text of an event is, or what is stripped of it, gives the table another name: its lengths were the old ones.
 */
const table = `
  CREATE TABLE IF NOT EXISTS text_marks (
    position INTEGER NOT NULL,
    is_end INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    stripped INTEGER NOT NULL,
    PRIMARY KEY (position, is_end)
  ) WITHOUT ROWID;
`;

const columns = "SELECT position, lines, bytes, stripped FROM text_marks";

const lastBefore: Readonly<Record<TextMeasure, string>> = {
  lines: `${columns} WHERE is_end = 0 AND lines <= ? ORDER BY position DESC LIMIT 1`,
  bytes: `${columns} WHERE is_end = 0 AND bytes <= ? ORDER BY position DESC LIMIT 1`,
  stripped: `${columns} WHERE is_end = 0 AND stripped <= ? ORDER BY position DESC LIMIT 1`,
};

type MarkRow = { -readonly [Name in keyof TextMark]: number };

export class TextMarksStore {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** The last mark with at most so much text before it; the text's beginning where none is known. */
  last(measure: TextMeasure, atMost: number): TextMark {
    return this.#find(lastBefore[measure], atMost) ?? firstMark;
  }

  /** How long the text is as a whole; null where nobody has found out yet. */
  length(): TextLength | null {
    const end = this.#find(`${columns} WHERE is_end = 1`);
    return end === null ? null : { lines: end.lines, bytes: end.bytes, stripped: end.stripped };
  }

  /** What is known stays: whoever finds the same finds it so. */
  keep(marks: readonly TextMark[], end: TextMark | null): void {
    this.#storage.sql.exec(table);
    for (const mark of marks) this.#insert(mark, 0);
    if (end !== null) this.#insert(end, 1);
  }

  #insert({ position, lines, bytes, stripped }: TextMark, isEnd: 0 | 1): void {
    this.#storage.sql.exec(
      "INSERT INTO text_marks (position, is_end, lines, bytes, stripped) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      position,
      isEnd,
      lines,
      bytes,
      stripped,
    );
  }

  #find(statement: string, ...values: number[]): TextMark | null {
    if (!hasTables(this.#storage, "text_marks")) return null;
    const [row] = this.#storage.sql.exec<MarkRow>(statement, ...values).toArray();
    return row ?? null;
  }
}
