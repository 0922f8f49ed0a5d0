/**
 * Aho-Corasick over bytes: every occurrence of every needle in one pass. Pure.
 *
 * States are numbered breadth first, so a state's children lie side by side and its fail state has a smaller
 * number. The first states, where a scan spends its time, have full rows by byte class; the others have only
 * their children and a fail link (full rows for twenty PEM keys would take 272 MB). What only a scan's end asks
 * for, a state's depth and a needle that it begins, is worked out then and not kept for each of millions of states.
 */

export interface Automaton {
  /** 0: a byte that no needle holds. */
  readonly classOf: Uint16Array;
  readonly classes: number;
  readonly states: number;
  /** Of the first states a row of `classes` targets each. */
  readonly dense: Int32Array;
  /** Children of state s: the states from first[s] up to first[s + 1]. */
  readonly first: Int32Array;
  /** Class of the byte that leads into a state. */
  readonly edge: Uint16Array;
  readonly fail: Int32Array;
  /** Length of the longest needle that ends at a state, 0 for none. */
  readonly longest: Int32Array;
  /** The first state of each depth. */
  readonly levels: readonly number[];
  /** States at which a needle ends, ascending, and which one. */
  readonly endStates: Int32Array;
  readonly endNeedles: Int32Array;
}

/**
 * The state that a byte leads to, as a scan wants it: where its row begins, which is its number times `classes`, and
 * the complement of that where a needle ends there. So one look into one table tells a scan all for most bytes.
 */
type Target = number;

/** The first `depth` bytes of a needle, by its number in the list that was compiled. */
export interface NeedlePrefix {
  readonly needle: number;
  readonly depth: number;
}

const denseEntriesMax = 256 * 1024;

export function compileAutomaton(needles: readonly Uint8Array[]): Automaton {
  const sorted = needles
    .map((bytes, number) => ({ bytes, number }))
    .filter(({ bytes }) => bytes.length > 0)
    .sort((a, b) => compareBytes(a.bytes, b.bytes));
  const { classOf, classes } = byteClasses(sorted);
  const trie = breadthFirst(sorted, classOf);
  const denseStates = Math.max(1, Math.min(trie.states, Math.floor(denseEntriesMax / classes)));
  const automaton: Automaton = {
    ...trie,
    classOf,
    classes,
    dense: new Int32Array(denseStates * classes),
    fail: new Int32Array(trie.states),
  };
  linkFailures(automaton);
  return automaton;
}

/**
 * Goes on from a state over `bytes`, which lie at `base` of a longer text, and answers the state reached. Where
 * needles lie is added to `ranges`: starts and ends in turn, ascending; ranges that overlap are one, ranges that only
 * touch are two. Module level and free of closures, so that it is compiled well.
 */
export function scan(automaton: Automaton, from: number, bytes: Uint8Array, base: number, ranges: number[]): number {
  const { classOf, classes, dense, longest } = automaton;
  const denseEnd = dense.length;
  let row = from * classes;
  for (let at = 0; at < bytes.length; at++) {
    const byteClass = classOf[bytes[at] ?? 0] ?? 0;
    const target = row < denseEnd ? (dense[row + byteClass] ?? 0) : step(automaton, row, byteClass);
    row = target;
    if (target >= 0) continue;
    row = rowOf(target);
    const end = base + at + 1;
    addRange(ranges, end - (longest[row / classes] ?? 0), end);
  }
  return row / classes;
}

/** The longest end of the text so far that begins a needle and is not yet all of it: what more text could complete. */
export function unfinishedAt(automaton: Automaton, at: number): NeedlePrefix | null {
  const { first, fail } = automaton;
  const isLeaf = (state: number) => first[state] === first[state + 1];
  let state = at;
  while (state > 0 && isLeaf(state)) state = fail[state] ?? 0;
  if (state === 0) return null;
  let leaf = state;
  while (!isLeaf(leaf)) leaf = first[leaf] ?? 0;
  const needle = automaton.endNeedles[lastUpTo(automaton.endStates, leaf)] ?? 0;
  return { needle, depth: lastUpTo(automaton.levels, state) };
}

/**
 * A longer match may begin before several earlier ranges and swallows them. Matches come in the order of their ends,
 * but a range that the caller began with may reach behind them.
 */
function addRange(ranges: number[], from: number, to: number): void {
  let [start, end] = [from, to];
  while (ranges.length > 0 && (ranges[ranges.length - 1] ?? 0) > start) {
    start = Math.min(start, ranges[ranges.length - 2] ?? start);
    end = Math.max(end, ranges[ranges.length - 1] ?? end);
    ranges.length -= 2;
  }
  ranges.push(start, end);
}

function step(automaton: Automaton, from: number, byteClass: number): Target {
  const { dense, classes, first, edge, fail } = automaton;
  let row = from;
  while (row >= dense.length) {
    const state = row / classes;
    const end = first[state + 1] ?? 0;
    for (let child = first[state] ?? 0; child < end; child++) {
      if (edge[child] === byteClass) return targetOf(automaton, child);
    }
    row = (fail[state] ?? 0) * classes;
  }
  return dense[row + byteClass] ?? 0;
}

function targetOf({ classes, longest }: Automaton, state: number): Target {
  return longest[state] === 0 ? state * classes : ~(state * classes);
}

function rowOf(target: Target): number {
  return target < 0 ? ~target : target;
}

/** Where the last number stands that is not above `wanted`, in an ascending list that has one. */
function lastUpTo(ascending: ArrayLike<number>, wanted: number): number {
  let [low, high] = [0, ascending.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) <= wanted) low = middle;
    else high = middle;
  }
  return low;
}

interface Needle {
  readonly bytes: Uint8Array;
  readonly number: number;
}

function byteClasses(needles: readonly Needle[]) {
  const classOf = new Uint16Array(256);
  let classes = 1;
  for (const { bytes } of needles) {
    for (const byte of bytes) {
      if (classOf[byte] === 0) classOf[byte] = classes++;
    }
  }
  return { classOf, classes };
}

/**
 * The trie of sorted needles, level by level: a state is a range of needles that agree up to its depth. No other
 * trie is built on the way, since a job's keys can make millions of states.
 */
function breadthFirst(sorted: readonly Needle[], classOf: Uint16Array) {
  const most = sorted.reduce((sum, { bytes }) => sum + bytes.length, 1);
  const [first, edge, longest] = [new Int32Array(most + 1), new Uint16Array(most), new Int32Array(most)];
  const [endStates, endNeedles] = [new Int32Array(sorted.length), new Int32Array(sorted.length)];
  const levels: number[] = [];
  let [state, states, ends] = [0, 1, 0];
  let level = [0, sorted.length];
  for (let depth = 0; level.length > 0; depth++) {
    levels.push(state);
    const below: number[] = [];
    for (let at = 0; at < level.length; at += 2, state++) {
      const [start = 0, end = 0] = [level[at], level[at + 1]];
      first[state] = states;
      for (let from = start; from < end; ) {
        const byte = sorted[from]?.bytes[depth];
        let to = from + 1;
        while (to < end && sorted[to]?.bytes[depth] === byte) to++;
        if (byte === undefined) {
          longest[state] = depth;
          endStates[ends] = state;
          endNeedles[ends++] = sorted[from]?.number ?? 0;
        } else {
          edge[states++] = classOf[byte] ?? 0;
          below.push(from, to);
        }
        from = to;
      }
    }
    level = below;
  }
  first[states] = states;
  return {
    first,
    edge,
    longest,
    states,
    levels,
    endStates: endStates.subarray(0, ends),
    endNeedles: endNeedles.subarray(0, ends),
  };
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * In breadth-first order: whatever a state falls back to is complete before it, and whether a needle ends at a state
 * is settled with its parent, before any row leads there.
 */
function linkFailures(automaton: Automaton): void {
  const { states, dense, classes, first, edge, fail, longest } = automaton;
  for (let state = 0; state < states; state++) {
    const back = (fail[state] ?? 0) * classes;
    const row = state * classes;
    const isDense = row < dense.length;
    if (isDense && state > 0) dense.copyWithin(row, back, back + classes);
    const end = first[state + 1] ?? 0;
    for (let child = first[state] ?? 0; child < end; child++) {
      const byteClass = edge[child] ?? 0;
      if (state > 0) fail[child] = rowOf(step(automaton, back, byteClass)) / classes;
      if (longest[child] === 0) longest[child] = longest[fail[child] ?? 0] ?? 0;
      if (isDense) dense[row + byteClass] = targetOf(automaton, child);
    }
  }
}
