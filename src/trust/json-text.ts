/**
 * JSON as IAM takes it (RFC 8259, strictly, no name twice), with the place of what is wrong: JSON.parse takes the
 * last of two members of one name, so that a policy would be explained that the cloud never saw.
 */
import { depthMax, PolicyError, placeOf, tooDeep } from "./policy-error.ts";

/** @throws PolicyError naming line and column. */
export function parseJsonText(text: string): unknown {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): unknown {
    this.#blanks();
    const next = this.#text[this.#at];
    if (depth >= depthMax && (next === "{" || next === "[")) this.#refuse(tooDeep);
    if (next === "{") return this.#object(depth);
    if (next === "[") return this.#array(depth);
    if (next === '"') return this.#string();
    const word = this.#token(/(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])/y);
    if (word === null) this.#refuse(next === undefined ? "ends too early" : `expected a value, found ${quoted(next)}`);
    return JSON.parse(word);
  }

  end(): void {
    this.#blanks();
    if (this.#at < this.#text.length) this.#refuse(`expected the end, found ${quoted(this.#text[this.#at])}`);
  }

  #object(depth: number): unknown {
    const members = new Map<string, unknown>();
    this.#list("}", () => {
      const start = this.#at;
      const name = this.#string();
      // A record's schema passes over this name: what stands under it would be neither checked nor compared.
      if (name === "__proto__") this.#refuse("no cloud has a member __proto__", start);
      if (members.has(name)) this.#refuse(`the member ${JSON.stringify(name)} stands twice`, start);
      this.#blanks();
      this.#expect(":");
      members.set(name, this.value(depth + 1));
    });
    return Object.fromEntries(members);
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#list("]", () => void items.push(this.value(depth + 1)));
    return items;
  }

  #list(close: string, item: () => void): void {
    this.#at++;
    this.#blanks();
    if (this.#take(close)) return;
    for (;;) {
      this.#blanks();
      item();
      this.#blanks();
      if (this.#take(close)) return;
      const comma = this.#at;
      this.#expect(",", ` or '${close}'`);
      this.#blanks();
      if (this.#text[this.#at] === close) this.#refuse("a comma stands before the end of the list", comma);
    }
  }

  #string(): string {
    // JSON forbids the control characters below U+0020 alone.
    const literal = this.#token(/"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy);
    if (literal === null) this.#refuse("expected a string in double quotes");
    return JSON.parse(literal) as string;
  }

  #token(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return null;
    this.#at += found.length;
    return found;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #expect(character: string, orElse = ""): void {
    if (!this.#take(character)) {
      const found = this.#text[this.#at];
      this.#refuse(`expected '${character}'${orElse}, found ${found === undefined ? "the end" : quoted(found)}`);
    }
  }

  #blanks(): void {
    this.#token(/[ \t\r\n]*/y);
  }

  #refuse(why: string, at = this.#at): never {
    throw new PolicyError(placeOf(this.#text, at), why);
  }
}

function quoted(character: string | undefined): string {
  return JSON.stringify(character ?? "");
}
