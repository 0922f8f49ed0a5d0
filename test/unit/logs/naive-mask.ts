/** What masking must come to, by search alone: slow, and with nothing in common with the automaton. */

type Run = readonly [start: number, end: number];

/** Every occurrence of every needle that begins at `from` or later, found one at a time. */
function occurrences(text: string, needles: readonly string[], from: number): Run[] {
  return needles.flatMap((needle) => {
    const found: Run[] = [];
    for (let at = text.indexOf(needle, from); at >= 0; at = text.indexOf(needle, at + 1)) {
      found.push([at, at + needle.length]);
    }
    return found;
  });
}

/** Overlapping ones are one run; ones that only touch are two. */
function merged(runs: readonly Run[]): Run[] {
  const sorted = [...runs].sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const result: [number, number][] = [];
  for (const [start, end] of sorted) {
    const last = result.at(-1);
    if (last !== undefined && start < last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}

function cut(text: string, runs: readonly Run[], until: number): string {
  let masked = "";
  let done = 0;
  for (const [start, end] of runs) {
    if (start >= until) break;
    masked += `${text.slice(done, start)}***`;
    done = Math.min(end, until);
  }
  return masked + text.slice(done, until);
}

/** Where the longest end of the text begins that begins a needle and is not all of it; the text's end if none does. */
function heldFrom(text: string, needles: readonly string[], from: number): number {
  for (let start = from; start < text.length; start++) {
    const end = text.slice(start);
    if (needles.some((needle) => needle.length > end.length && needle.startsWith(end))) return start;
  }
  return text.length;
}

/** The whole at once. */
export function naiveMask(text: string, needles: readonly string[]): string {
  return cut(text, merged(occurrences(text, needles, 0)), text.length);
}

/** A command's output so far, all of it remembered in clear; `needles` may grow between its pieces. */
export class NaiveStream {
  #text = "";
  #until = 0;
  #runs: readonly Run[] = [];

  add(piece: string, needles: readonly string[]): void {
    this.#text += piece;
    const decided = this.#runs.filter(([start]) => start < this.#until);
    this.#runs = merged([...decided, ...occurrences(this.#text, needles, this.#until)]);
    this.#until = heldFrom(this.#text, needles, this.#until);
  }

  /** What may be shown while more may come. */
  get shown(): string {
    return cut(this.#text, this.#runs, this.#until);
  }

  /** What is shown once nothing more comes. */
  get released(): string {
    return cut(this.#text, this.#runs, this.#text.length);
  }

  /** Whether anything that is held back lies under no mark. */
  get isHiding(): boolean {
    const reached = this.#runs.filter(([start]) => start < this.#until).map(([, end]) => end);
    return Math.max(this.#until, ...reached) < this.#text.length;
  }
}
