/** The rows of some tables in what mysqldump and pg_dump write: INSERT, REPLACE, and COPY … FROM stdin. */
import type { Columns } from "./rows.ts";
import { type Dialect, postgresEscape, SqlScanner, type Token } from "./sql-scanner.ts";

const headChars = 4096;

/** Whose dump it is; null: SQLite's, or nobody's. A dump of SQLite may create tables in MySQL's quotes, and never inserts so. */
export function dialectOf(sql: string): Dialect | null {
  const head = sql.slice(0, headChars);
  if (/^-- PostgreSQL database dump|^\\restrict /m.test(head)) return "postgres";
  if (/^-- (MySQL|MariaDB) dump/m.test(head)) return "mysql";
  if (/^COPY [^\n;]+ FROM stdin;/im.test(sql) || /^INSERT INTO public\./m.test(sql)) return "postgres";
  return /^(INSERT|REPLACE)\s[^'"\n(]*INTO `/im.test(sql) ? "mysql" : null;
}

/** Each of these tables that the dump knows, with its rows. @throws in words that quote nothing of the dump. */
export function readForeignDump(sql: string, dialect: Dialect, tables: readonly string[]): Map<string, Columns[]> {
  const read = new Map<string, Columns[]>();
  const columns = new Map<string, string[]>();
  const scanner = new SqlScanner(sql, dialect);
  for (let token = scanner.next(); token !== null; token = scanner.next()) {
    // A command to psql, such as \restrict: it ends with its line.
    if (isMark(token, "\\")) scanner.line();
    else if (!isMark(token, ";")) readStatement(scanner, token, { tables, columns, read });
  }
  if (isCut(sql)) throw new Error("it was cut: the line that ends such a dump is missing");
  return read;
}

/** Between two statements nothing else tells: both tools say in their first lines who they are, and in the last that they are done. */
function isCut(sql: string): boolean {
  const head = sql.slice(0, headChars);
  const tail = sql.slice(-headChars);
  if (/^-- PostgreSQL database dump$/m.test(head)) return !/^-- PostgreSQL database dump complete$/m.test(tail);
  return /^-- (MySQL|MariaDB) dump/m.test(head) && !/^-- Dump completed/m.test(tail);
}

interface Reading {
  readonly tables: readonly string[];
  readonly columns: Map<string, string[]>;
  readonly read: Map<string, Columns[]>;
}

function readStatement(scanner: SqlScanner, first: Token, reading: Reading): void {
  const verb = wordOf(first);
  if (verb === "CREATE") readCreate(scanner, reading);
  else if (verb === "INSERT" || verb === "REPLACE") readInsert(scanner, reading);
  else if (verb === "COPY") readCopy(scanner, reading);
  else scanner.skipStatement();
}

/** `CREATE TABLE name (column …, …)`: the order of its columns, for rows that do not name them. */
function readCreate(scanner: SqlScanner, { tables, columns, read }: Reading): void {
  const what = scanner.next();
  const { table, token } = wordOf(what) === "TABLE" ? readName(scanner, scanner.next()) : { table: "", token: what };
  if (!tables.includes(table) || !isMark(token, "(")) {
    skipFrom(scanner, token);
    return;
  }
  read.set(table, read.get(table) ?? []);
  const names: string[] = [];
  let depth = 1;
  let isFirst = true;
  while (depth > 0) {
    const next = required(scanner.next());
    if (isFirst && depth === 1 && isColumn(next)) names.push(next.text);
    isFirst = depth === 1 && isMark(next, ",");
    if (isMark(next, "(")) depth++;
    if (isMark(next, ")")) depth--;
  }
  columns.set(table, names);
  scanner.skipStatement();
}

const clauses = [
  "PRIMARY",
  "UNIQUE",
  "KEY",
  "INDEX",
  "FULLTEXT",
  "SPATIAL",
  "CONSTRAINT",
  "FOREIGN",
  "CHECK",
  "EXCLUDE",
];

function isColumn(token: Token): token is Token & { readonly text: string } {
  if (token.kind === "name") return true;
  return token.kind === "word" && !clauses.includes(token.text.toUpperCase());
}

/** `INSERT INTO name [(column, …)] VALUES (value, …), (…);` */
function readInsert(scanner: SqlScanner, reading: Reading): void {
  let token = required(scanner.next());
  while (wordOf(token) !== "INTO") {
    if (isMark(token, ";")) return;
    token = required(scanner.next());
  }
  const named = readName(scanner, scanner.next());
  const { table } = named;
  if (reading.tables.includes(table)) readRows(scanner, table, required(named.token), reading);
  else skipFrom(scanner, named.token);
}

/** From what stands behind the table's name. */
function readRows(scanner: SqlScanner, table: string, first: Token, { columns, read }: Reading): void {
  let token = first;
  let names = columns.get(table) ?? null;
  if (isMark(token, "(")) {
    names = readNames(scanner);
    token = required(scanner.next());
  }
  if (names === null) throw new Error(`rows of ${table} name no columns, and nothing says which there are`);
  if (wordOf(token) !== "VALUES") throw new Error(`rows of ${table} are given by an expression, which is not read`);
  const rows = read.get(table) ?? [];
  read.set(table, rows);
  do {
    if (!isMark(required(scanner.next()), "(")) throw new Error(`a row of ${table} does not begin with a bracket`);
    rows.push(rowOf(table, names, readValues(scanner, table)));
    token = required(scanner.next());
  } while (isMark(token, ","));
  skipFrom(scanner, token);
}

/** `COPY name (column, …) FROM stdin;` and a line for each row, up to `\.` alone. */
function readCopy(scanner: SqlScanner, { tables, read }: Reading): void {
  const { table, token } = readName(scanner, scanner.next());
  const names = isMark(token, "(") ? readNames(scanner) : null;
  if (wordOf(names === null ? token : scanner.next()) !== "FROM" || wordOf(scanner.next()) !== "STDIN") {
    throw new Error(`rows of ${table} are copied from somewhere else`);
  }
  scanner.skipStatement();
  scanner.line();
  const rows = read.get(table) ?? [];
  for (let line = scanner.line(); line !== "\\."; line = scanner.line()) {
    if (!tables.includes(table)) continue;
    if (names === null) throw new Error(`rows of ${table} name no columns, and nothing says which there are`);
    rows.push(rowOf(table, names, line.split("\t").map(copied)));
  }
  if (tables.includes(table)) read.set(table, rows);
}

function copied(field: string): string | null {
  if (field === "\\N") return null;
  let text = "";
  for (let at = 0; at < field.length; at++) {
    if (field.charAt(at) !== "\\") text += field.charAt(at);
    else {
      const meant = postgresEscape(field, at + 1);
      text += meant.text;
      at += meant.length;
    }
  }
  return text;
}

/** A table's name without the schema before it, and the token behind it. `IF NOT EXISTS` and the like stand before it. */
function readName(scanner: SqlScanner, first: Token | null): { table: string; token: Token | null } {
  let token = first;
  while (["IF", "NOT", "EXISTS", "ONLY"].includes(wordOf(token))) token = scanner.next();
  for (;;) {
    const part = token;
    token = scanner.next();
    if (part?.kind !== "name" && part?.kind !== "word") return { table: "", token };
    // Of bare words the schema is a part of the word.
    if (!isMark(token, ".")) return { table: part.kind === "word" ? part.text.replace(/^.*\./, "") : part.text, token };
    token = scanner.next();
  }
}

/** Up to the closing bracket. */
function readNames(scanner: SqlScanner): string[] {
  const names: string[] = [];
  for (let token = required(scanner.next()); !isMark(token, ")"); token = required(scanner.next())) {
    if (token.kind === "name" || token.kind === "word") names.push(token.text);
  }
  return names;
}

function readValues(scanner: SqlScanner, table: string): unknown[] {
  const values: unknown[] = [];
  for (;;) {
    const token = required(scanner.next());
    if (token.kind === "value") values.push(token.value);
    else if (token.kind === "word") values.push(plain(token.text, table));
    else throw new Error(`a row of ${table} holds an expression, which is not read`);
    const behind = required(scanner.next());
    if (isMark(behind, ")")) return values;
    if (!isMark(behind, ",")) throw new Error(`a row of ${table} holds an expression, which is not read`);
  }
}

function plain(text: string, table: string): string | boolean | null {
  const upper = text.toUpperCase();
  if (upper === "NULL") return null;
  if (upper === "TRUE" || upper === "FALSE") return upper === "TRUE";
  if (!/^[-+]?[0-9.]+(e[-+]?\d+)?$/i.test(text))
    throw new Error(`a row of ${table} holds an expression, which is not read`);
  return text;
}

function rowOf(table: string, names: readonly string[], values: readonly unknown[]): Columns {
  if (names.length !== values.length) {
    throw new Error(`a row of ${table} has ${values.length} values for ${names.length} columns`);
  }
  return Object.fromEntries(names.map((name, at) => [name, values[at]]));
}

function skipFrom(scanner: SqlScanner, token: Token | null): void {
  if (!isMark(token, ";")) scanner.skipStatement();
}

function required(token: Token | null): Token {
  if (token === null) throw new Error("it ends within a statement");
  return token;
}

function isMark(token: Token | null, text: string): boolean {
  return token?.kind === "mark" && token.text === text;
}

/** In capitals; "" for whatever is no bare word. */
function wordOf(token: Token | null): string {
  return token?.kind === "word" ? token.text.toUpperCase() : "";
}
