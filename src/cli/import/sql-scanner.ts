/**
 * Reads the SQL that mysqldump and pg_dump write, token by token, without running it. What it cannot read it names by
 * its kind alone: the text around may be a private key.
 */

export type Dialect = "mysql" | "postgres";

export type Token =
  /** A bare word or number, or a mark such as a comma. */
  | { readonly kind: "word" | "mark"; readonly text: string }
  /** A quoted identifier. */
  | { readonly kind: "name"; readonly text: string }
  /** A literal. */
  | { readonly kind: "value"; readonly value: string | Uint8Array };

/** A number, or a name with the schemas before it. */
const word =
  /[-+]?(?:0x[0-9a-f]+|\d+(?:\.\d*)?(?:e[-+]?\d+)?|\.\d+)|[\p{L}_][\p{L}\p{N}_$]*(?:\.[\p{L}_][\p{L}\p{N}_$]*)*/iuy;
const blanks = /\s+/y;
const dollarTag = /\$(?:[A-Za-z_]\w*)?\$/y;

type Escapes = (text: string, at: number) => Escape;

export class SqlScanner {
  readonly #sql: string;
  readonly #dialect: Dialect;
  #at = 0;

  constructor(sql: string, dialect: Dialect) {
    this.#sql = sql;
    this.#dialect = dialect;
  }

  /** Null at the end of the dump. @throws where the dump ends within a token. */
  next(): Token | null {
    this.#skipBlanks();
    const char = this.#sql.charAt(this.#at);
    if (char === "") return null;
    if (char === "'") return this.#value(char);
    if (char === '"' && this.#dialect === "mysql") return this.#value(char);
    if (char === "`" || char === '"') return { kind: "name", text: this.#quoted(char, null) };
    const tag = this.#dialect === "postgres" ? this.#match(dollarTag) : null;
    if (tag !== null) return { kind: "value", value: this.#upTo(tag, "a quoted text") };
    const text = this.#match(word);
    if (text !== null) return this.#prefixed(text) ?? { kind: "word", text };
    this.#at++;
    return { kind: "mark", text: char };
  }

  /** Leaves out the rest of the statement, its semicolon included. */
  skipStatement(): void {
    for (let token = this.next(); token !== null; token = this.next()) {
      if (token.kind === "mark" && token.text === ";") return;
    }
  }

  /** What stands up to the end of the line, which is passed. @throws at the end of the dump. */
  line(): string {
    if (this.#at >= this.#sql.length) throw new Error("it ends within a table's rows");
    const found = this.#sql.indexOf("\n", this.#at);
    const text = this.#sql.slice(this.#at, found < 0 ? this.#sql.length : found);
    this.#at = found < 0 ? this.#sql.length : found + 1;
    return text.replace(/\r$/, "");
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const [text] = pattern.exec(this.#sql) ?? [];
    if (text === undefined) return null;
    this.#at += text.length;
    return text;
  }

  #upTo(end: string, what: string): string {
    const found = this.#sql.indexOf(end, this.#at);
    if (found < 0) throw new Error(`it ends within ${what}`);
    const text = this.#sql.slice(this.#at, found);
    this.#at = found + end.length;
    return text;
  }

  #skipBlanks(): void {
    for (;;) {
      if (this.#match(blanks) !== null) continue;
      if (this.#sql.startsWith("/*", this.#at)) this.#upTo("*/", "a comment");
      else if (this.#isComment()) this.line();
      else return;
    }
  }

  #isComment(): boolean {
    const isMysql = this.#dialect === "mysql";
    if (!this.#sql.startsWith("--", this.#at)) return isMysql && this.#sql.charAt(this.#at) === "#";
    return !isMysql || /^(\s|$)/.test(this.#sql.charAt(this.#at + 2));
  }

  #value(quote: string): Token {
    return { kind: "value", value: this.#quoted(quote, this.#dialect === "mysql" ? mysqlEscape : null) };
  }

  /** A literal with a letter or a character set's name before it: `E'…'`, `x'…'`, `0x…`, `_binary '…'`. */
  #prefixed(text: string): Token | null {
    const prefix = text.toLowerCase();
    if (this.#dialect === "mysql") {
      if (prefix.startsWith("0x")) return { kind: "value", value: bytesOf(prefix.slice(2)) };
      // The character set of the literal that follows.
      if (/^_[a-z0-9]+$/.test(prefix)) return this.next();
    }
    if (this.#sql.charAt(this.#at) !== "'" || !["e", "n", "x"].includes(prefix)) return null;
    if (prefix === "x") return { kind: "value", value: bytesOf(this.#quoted("'", null)) };
    const isEscaped = prefix === "e" && this.#dialect === "postgres";
    return isEscaped ? { kind: "value", value: this.#quoted("'", postgresEscape) } : this.#value("'");
  }

  /** What stands between quotes, of which two are one. */
  #quoted(quote: string, escapes: Escapes | null): string {
    const parts: string[] = [];
    let from = ++this.#at;
    for (; ; this.#at++) {
      const char = this.#sql.charAt(this.#at);
      if (char === "") throw new Error("it ends within a quoted text");
      if (char === "\\" && escapes !== null) {
        const { text, length } = escapes(this.#sql, this.#at + 1);
        parts.push(this.#sql.slice(from, this.#at), text);
        this.#at += length;
        from = this.#at + 1;
      } else if (char === quote) {
        parts.push(this.#sql.slice(from, this.#at));
        from = ++this.#at;
        if (this.#sql.charAt(this.#at) !== quote) return parts.join("");
      }
    }
  }
}

interface Escape {
  readonly text: string;
  /** How many characters of the dump it takes, behind the backslash. */
  readonly length: number;
}

const mysqlEscapes: Readonly<Record<string, string>> = {
  "0": "\0",
  b: "\b",
  n: "\n",
  r: "\r",
  t: "\t",
  Z: "\u001a",
  // These escape within patterns alone.
  "%": "\\%",
  _: "\\_",
};

function mysqlEscape(text: string, at: number): Escape {
  const char = text.charAt(at);
  return { text: mysqlEscapes[char] ?? char, length: 1 };
}

const postgresEscapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };
const numeric = /[0-7]{1,3}|x[0-9A-Fa-f]{1,2}/y;

/** Of COPY's rows and of `E'…'`. */
export function postgresEscape(text: string, at: number): Escape {
  numeric.lastIndex = at;
  const [code] = numeric.exec(text) ?? [];
  if (code !== undefined) {
    const byte = code.startsWith("x") ? Number.parseInt(code.slice(1), 16) : Number.parseInt(code, 8);
    return { text: String.fromCharCode(byte), length: code.length };
  }
  const char = text.charAt(at);
  return { text: postgresEscapes[char] ?? char, length: 1 };
}

function bytesOf(hex: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(hex)) throw new Error("it holds hexadecimal digits that are none");
  return Buffer.from(hex, "hex");
}
