/**
 * Aho-Corasick over bytes: every occurrence of every needle in one pass. Pure.
 *
 * States are numbered breadth first, so a state's children lie side by side and its fail state has a smaller
 * number. The first states, where a scan spends its time, have full rows by byte class; the others have only
 * their children and a fail link (full rows for twenty PEM keys would take 272 MB).
 *
 * The streaming automaton over event borders (issue 7) goes on from here: it keeps the state between texts and
 * needs, beside it, the needle that a state is a prefix of.
 */

export interface Automaton {
  readonly needleBytesMin: number;
  /** 0: a byte that no needle holds. */
  readonly classOf: Uint16Array;
  readonly classes: number;
  readonly states: number;
  readonly denseStates: number;
  /** `denseStates` rows of `classes` next states. */
  readonly dense: Int32Array;
  /** Children of state s: the states from first[s] up to first[s + 1]. */
  readonly first: Int32Array;
  /** Class of the byte that leads into a state. */
  readonly edge: Uint16Array;
  readonly fail: Int32Array;
  /** Length of the longest needle that ends at a state, 0 for none. */
  readonly longest: Int32Array;
}

const denseEntriesMax = 256 * 1024;

export function compileAutomaton(needles: readonly Uint8Array[]): Automaton {
  const sorted = needles.filter((needle) => needle.length > 0).sort(compareBytes);
  const { classOf, classes } = byteClasses(sorted);
  const { first, edge, ends, states } = breadthFirst(sorted, classOf);
  const denseStates = Math.max(1, Math.min(states, Math.floor(denseEntriesMax / classes)));
  const automaton: Automaton = {
    needleBytesMin: sorted.reduce((least, needle) => Math.min(least, needle.length), Number.POSITIVE_INFINITY),
    classOf,
    classes,
    states,
    denseStates,
    dense: new Int32Array(denseStates * classes),
    first,
    edge,
    fail: new Int32Array(states),
    longest: ends,
  };
  linkFailures(automaton);
  return automaton;
}

/**
 * Where needles lie in `bytes`: starts and ends in turn, ascending; ranges that overlap are one, ranges that only
 * touch are two. Module level and free of closures, so that it is compiled well.
 */
export function findRanges(automaton: Automaton, bytes: Uint8Array): number[] {
  const ranges: number[] = [];
  const { classOf, longest } = automaton;
  let state = 0;
  for (let at = 0; at < bytes.length; at++) {
    state = step(automaton, state, classOf[bytes[at] ?? 0] ?? 0);
    const length = longest[state] ?? 0;
    if (length > 0) addRange(ranges, at + 1 - length, at + 1);
  }
  return ranges;
}

/** Ends ascend; a longer match may begin before several earlier ranges and swallows them. */
function addRange(ranges: number[], from: number, to: number): void {
  let start = from;
  while (ranges.length > 0 && (ranges[ranges.length - 1] ?? 0) > start) {
    start = Math.min(start, ranges[ranges.length - 2] ?? start);
    ranges.length -= 2;
  }
  ranges.push(start, to);
}

function step(automaton: Automaton, from: number, byteClass: number): number {
  const { denseStates, dense, classes, first, edge, fail } = automaton;
  let state = from;
  while (state >= denseStates) {
    const end = first[state + 1] ?? 0;
    for (let child = first[state] ?? 0; child < end; child++) {
      if (edge[child] === byteClass) return child;
    }
    state = fail[state] ?? 0;
  }
  return dense[state * classes + byteClass] ?? 0;
}

function byteClasses(needles: readonly Uint8Array[]) {
  const classOf = new Uint16Array(256);
  let classes = 1;
  for (const needle of needles) {
    for (const byte of needle) {
      if (classOf[byte] === 0) classOf[byte] = classes++;
    }
  }
  return { classOf, classes };
}

/**
 * The trie of sorted needles, level by level: a state is a range of needles that agree up to its depth. No other
 * trie is built on the way, since a job's keys can make millions of states.
 */
function breadthFirst(sorted: readonly Uint8Array[], classOf: Uint16Array) {
  const most = sorted.reduce((sum, needle) => sum + needle.length, 1);
  const [first, edge, ends] = [new Int32Array(most + 1), new Uint16Array(most), new Int32Array(most)];
  let [state, states] = [0, 1];
  let level = [0, sorted.length];
  for (let depth = 0; level.length > 0; depth++) {
    const below: number[] = [];
    for (let at = 0; at < level.length; at += 2, state++) {
      const [start = 0, end = 0] = [level[at], level[at + 1]];
      first[state] = states;
      for (let from = start; from < end; ) {
        const byte = sorted[from]?.[depth];
        let to = from + 1;
        while (to < end && sorted[to]?.[depth] === byte) to++;
        if (byte === undefined) {
          ends[state] = depth;
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
  return { first, edge, ends, states };
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** In breadth-first order: whatever a state falls back to is complete before it. */
function linkFailures(automaton: Automaton): void {
  const { states, denseStates, dense, classes, first, edge, fail, longest } = automaton;
  for (let state = 0; state < states; state++) {
    const back = fail[state] ?? 0;
    if (longest[state] === 0) longest[state] = longest[back] ?? 0;
    const isDense = state < denseStates;
    if (isDense && state > 0) dense.copyWithin(state * classes, back * classes, (back + 1) * classes);
    const end = first[state + 1] ?? 0;
    for (let child = first[state] ?? 0; child < end; child++) {
      const byteClass = edge[child] ?? 0;
      if (state > 0) fail[child] = step(automaton, back, byteClass);
      if (isDense) dense[state * classes + byteClass] = child;
    }
  }
}
