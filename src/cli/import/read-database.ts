/** A Semaphore UI database as a SQLite file, a SQL dump of SQLite, MySQL or PostgreSQL, or a BoltDB's content as JSON. */
import { closeSync, openSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { constants, DatabaseSync } from "node:sqlite";
import { parseJson } from "../../client/errors.ts";
import { dialectOf, readForeignDump } from "./foreign-dump.ts";
import { type Columns, type Source, sourceOf, type Tables, tableNames } from "./rows.ts";

const sqliteMagic = "SQLite format 3\0";

/** What is no text, by how it begins, and how to get at the text. */
const packed = {
  PGDMP: "it is a dump in pg_dump's own format: write it as SQL with pg_restore -f dump.sql",
  "\u001f\u008b": "it is compressed by gzip: unpack it first",
  "(\u00b5/\u00fd": "it is compressed by zstd: unpack it first",
} as const;

/** @throws where the file cannot be read, or is none of these. */
export async function readDatabase(file: string): Promise<Source> {
  const head = firstBytes(file, sqliteMagic.length);
  if (head === sqliteMagic) return readTables(new DatabaseSync(file, { readOnly: true }), "");
  for (const [magic, words] of Object.entries(packed)) if (head.startsWith(magic)) throw new Error(words);
  const text = await readFile(file, "utf8");
  return text.trimStart().startsWith("{") ? readBolt(text) : readDump(text);
}

function firstBytes(file: string, length: number): string {
  const bytes = Buffer.alloc(length);
  const descriptor = openSync(file, "r");
  try {
    return bytes.toString("latin1", 0, readSync(descriptor, bytes, 0, length, 0));
  } finally {
    closeSync(descriptor);
  }
}

export function readDump(sql: string): Source {
  const dialect = dialectOf(sql);
  if (dialect === null) return runDump(sql);
  const read = readForeignDump(sql, dialect, tableNames);
  if (!read.has("access_key")) throw new Error("it has no table access_key");
  return sourceOf(tablesOf((table) => read.get(table) ?? []));
}

/**
 * SQLite's dump is run, in memory. ATTACH would let it reach the files of this machine (VACUUM INTO attaches too), and
 * extensions cannot be loaded: node:sqlite does not allow them unless asked to.
 */
function runDump(sql: string): Source {
  return readTables(new DatabaseSync(":memory:", { enableForeignKeyConstraints: false }), sql);
}

function readTables(db: DatabaseSync, sql: string): Source {
  try {
    const denied: readonly number[] = [constants.SQLITE_ATTACH, constants.SQLITE_DETACH];
    db.setAuthorizer((action) => (denied.includes(action) ? constants.SQLITE_DENY : constants.SQLITE_OK));
    execute(db, sql);
    const present = new Set(
      db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .all()
        .map(({ name }) => name),
    );
    if (!present.has("access_key")) throw new Error("it has no table access_key");
    const rows = (table: string) => (present.has(table) ? db.prepare(`SELECT * FROM ${table}`).all() : []);
    return sourceOf(tablesOf(rows));
  } finally {
    db.close();
  }
}

/** SQLite quotes what it does not understand, which may be a private key: its message is not passed on. */
function execute(db: DatabaseSync, sql: string): void {
  try {
    db.exec(sql);
  } catch {
    throw new Error("it is no dump that SQLite, mysqldump or pg_dump would write");
  }
}

/** `{bucket: {key: value}}`; a bucket for each project's keys, `access_key_0000000001`, and one of all projects. */
export function readBolt(text: string): Source {
  const buckets = parseJson(text);
  if (!isObject(buckets)) throw new Error("it is no JSON object");
  const rows = (table: string) =>
    Object.entries(buckets)
      .filter(([bucket]) => new RegExp(`^${table}(_\\d{1,10})?$`).test(bucket))
      .flatMap(([bucket, values]) => (isObject(values) ? Object.values(values) : []).map((row) => rowOf(row, bucket)));
  const tables = tablesOf(rows);
  if (tables.access_key.length === 0) throw new Error("it has no bucket access_key_…");
  return sourceOf(tables);
}

/** Tools print a value as the JSON that it is, or as the text of it. */
function rowOf(value: unknown, bucket: string): Columns {
  const row = typeof value === "string" ? parseJson(value) : value;
  if (!isObject(row)) throw new Error(`a value of the bucket ${bucket} is no JSON object`);
  return row;
}

function tablesOf(rows: (table: string) => readonly Columns[]): Tables {
  const [access_key, project, project__environment, project__repository] = tableNames.map(rows);
  return {
    access_key: access_key ?? [],
    project: project ?? [],
    project__environment: project__environment ?? [],
    project__repository: project__repository ?? [],
  };
}

function isObject(value: unknown): value is Columns {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
