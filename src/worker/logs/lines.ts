/** Lines of NDJSON that lie behind each other in one stretch of bytes: thousands of them are handled as one. Pure. */
import { concat } from "../lib/bytes.ts";

export interface Lines {
  readonly bytes: Uint8Array;
  /** Where each one ends, its line end included. */
  readonly ends: readonly number[];
}

/** Where line number `at`, from 0, begins. */
export function startOf({ ends }: Lines, at: number): number {
  return ends[at - 1] ?? 0;
}

export function lineAt(lines: Lines, at: number): Uint8Array {
  return lines.bytes.subarray(startOf(lines, at), lines.ends[at]);
}

/** Puts lines together, some as they stand in `source` and some made anew. */
export class LinesJoiner {
  readonly #source: Lines;
  readonly #pieces: Uint8Array[] = [];
  readonly #ends: number[] = [];
  #size = 0;
  /** The stretch of the source that is kept and not yet a piece. */
  #keptFrom = 0;
  #keptUntil = 0;

  constructor(source: Lines) {
    this.#source = source;
  }

  /** The source's line with this number. */
  keep(at: number): void {
    const start = startOf(this.#source, at);
    const end = this.#source.ends[at] ?? start;
    if (start !== this.#keptUntil) {
      this.#flush();
      this.#keptFrom = start;
    }
    this.#keptUntil = end;
    this.#add(end - start);
  }

  /** Another one, with its line end. */
  put(line: Uint8Array): void {
    this.#flush();
    this.#pieces.push(line);
    this.#add(line.length);
  }

  /** Not to be kept: where all of it stands in the source it is a view of that. */
  joined(): Lines {
    this.#flush();
    const [first, ...others] = this.#pieces;
    const bytes: Uint8Array = first !== undefined && others.length === 0 ? first : concat(...this.#pieces);
    return { bytes, ends: this.#ends };
  }

  #add(size: number): void {
    this.#size += size;
    this.#ends.push(this.#size);
  }

  #flush(): void {
    if (this.#keptUntil > this.#keptFrom)
      this.#pieces.push(this.#source.bytes.subarray(this.#keptFrom, this.#keptUntil));
    this.#keptFrom = this.#keptUntil;
  }
}
