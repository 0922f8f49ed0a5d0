/**
 * Finds the end of a command inside the job's own output: a marker line that only the shell driver can write, since
 * it holds a number that was drawn for this one command and that no child process is given. Works on bytes, across
 * reads; everything that is not the marker is passed on untouched and in order.
 */
export interface CommandEnd {
  readonly exitCode: number;
  /** The shell's `$-` when the command ended. */
  readonly flags: string;
}

export interface Scanned {
  readonly output: Buffer[];
  readonly end: CommandEnd | null;
}

/** After the nonce come a status and the shell's flags; a marker of more bytes than this is none. */
const markerBytesMax = 200;

export class MarkerScanner {
  #prefix: Buffer | null = null;
  #held: Buffer = Buffer.alloc(0);

  /** From now on the marker with this nonce ends the command. */
  expect(nonce: string): void {
    this.#prefix = Buffer.from(`\x1e${nonce} `, "latin1");
  }

  scan(chunk: Buffer): Scanned {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#held = Buffer.alloc(0);
    if (this.#prefix === null) return { output: [bytes], end: null };
    const at = bytes.indexOf(this.#prefix);
    if (at < 0) return this.#holdBack(bytes, bytes.length - beginningAtEnd(bytes, this.#prefix));
    const lineEnd = bytes.indexOf(0x0a, at);
    if (lineEnd < 0 && bytes.length - at < markerBytesMax) return this.#holdBack(bytes, at);
    const end = parse(bytes.toString("latin1", at + this.#prefix.length, Math.max(lineEnd, at)));
    if (end === null) return { output: [bytes], end: null };
    this.#prefix = null;
    return { output: [bytes.subarray(0, at), bytes.subarray(lineEnd + 1)].filter((part) => part.length > 0), end };
  }

  /** What was held back because a marker might have begun there: the shell is gone, so none did. */
  rest(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    this.#prefix = null;
    return held;
  }

  #holdBack(bytes: Buffer, from: number): Scanned {
    // Copied: the rest of a large read must not be kept alive by its last bytes.
    this.#held = Buffer.from(bytes.subarray(from));
    return { output: from > 0 ? [bytes.subarray(0, from)] : [], end: null };
  }
}

/** How many bytes at the end of `bytes` begin `prefix`. */
function beginningAtEnd(bytes: Buffer, prefix: Buffer): number {
  for (let length = Math.min(prefix.length - 1, bytes.length); length > 0; length--) {
    if (bytes.subarray(bytes.length - length).equals(prefix.subarray(0, length))) return length;
  }
  return 0;
}

function parse(text: string): CommandEnd | null {
  const found = /^(\d{1,3}) ([A-Za-z]*)$/.exec(text);
  return found ? { exitCode: Number(found[1]), flags: found[2] ?? "" } : null;
}
