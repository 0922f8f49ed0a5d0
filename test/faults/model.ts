/** What a log must come to: the log as its producer was told. Pure. */

export class Model {
  readonly #records: string[] = [];
  #head = 0;

  get head(): number {
    return this.#head;
  }

  /** A push that was answered 200: what is stored wins, a jump is a gap, the rest is appended. */
  acknowledged(startFrom: number, outputs: readonly string[]): void {
    if (startFrom + outputs.length <= this.#head) return;
    if (startFrom > this.#head) this.#records.push(`gap ${this.#head}-${startFrom}`);
    const start = Math.max(startFrom, this.#head);
    for (const [index, output] of outputs.slice(start - startFrom).entries()) {
      this.#records.push(`${start + index} ${output}`);
    }
    this.#head = startFrom + outputs.length;
  }

  ended(result: string): string[] {
    return [...this.#records, `end ${this.#head} ${result}`];
  }
}

/** Where two differ first; nothing where they are equal. */
export function differences(what: string, expected: readonly string[], got: readonly string[]): string[] {
  const length = Math.max(expected.length, got.length);
  for (let at = 0; at < length; at++) {
    if (expected[at] === got[at]) continue;
    return [`${what}: record ${at} is ${quoted(got[at])}, not ${quoted(expected[at])}`];
  }
  return [];
}

function quoted(text: string | undefined): string {
  if (text === undefined) return "missing";
  const json = JSON.stringify(text);
  return json.length > 40 ? `${json.slice(0, 40)}…` : json;
}

export function bodyOf(position: number, outputs: readonly string[]): string {
  const lineOf = (output: string, index: number) =>
    `${JSON.stringify({ event: "cmd_output", timestamp: position + index, output })}\n`;
  return outputs.map(lineOf).join("");
}
