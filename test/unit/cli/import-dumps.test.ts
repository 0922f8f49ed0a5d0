/**
 * Dumps as mysqldump and pg_dump wrote them, of one Semaphore UI database whose texts are as awkward as texts can be: quotes,
 * backslashes, line breaks, and a task's output that looks like a dump itself.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { dialectOf } from "../../../src/cli/import/foreign-dump.ts";
import { parseCipherKey } from "../../../src/cli/import/open-secret.ts";
import { parseMapping, planImport } from "../../../src/cli/import/plan.ts";
import { readDatabase, readDump } from "../../../src/cli/import/read-database.ts";

const dumps = {
  "mysqldump.sql": "mysql",
  "mysqldump-hex-blob.sql": "mysql",
  "pg_dump.sql": "postgres",
  "pg_dump-inserts.sql": "postgres",
} as const;
const textOf = (name: string) => readFileSync(join(import.meta.dirname, "dumps", name), "utf8");
const folder = mkdtempSync(join(tmpdir(), "signalbox-dumps-"));
afterAll(() => rmSync(folder, { recursive: true }));

const raw = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm8ga2V5IGF0IGFsbA==\n-----END OPENSSH PRIVATE KEY-----\n";
const vector = "AAECAwQFBgcICQoLvZv3pOlAJ07VcXaLPHbO+v3ypXIoW/s99H1/uGAxCijJzTJkUh9zqPMIRV3rcB7pJB7p21xmAMdMSRXBZw==";
const login = { type: "login_password", login: "root", password: "p<w&d" };

function keyOf(text: string) {
  const key = parseCipherKey(text);
  if (typeof key === "string") throw new Error(key);
  return key;
}
const plan = (sql: string) =>
  planImport(readDump(sql), {
    sourceId: "s",
    mapping: parseMapping([]),
    keys: [keyOf("hHYgPrhQTZYm7UFTvcdNfKJMB3wtAXtJENUButH+DmM=")],
  });

test.each(Object.entries(dumps))("%s gives every row, to the letter", (name, dialect) => {
  const sql = textOf(name);
  expect(dialectOf(sql)).toBe(dialect);
  const source = readDump(sql);
  expect(source.projects).toEqual(
    new Map([
      [1, { name: "My App", gitUrl: "git@git.example.com:acme/app.git" }],
      [2, { name: `O'Brien's "second" \\ app`, gitUrl: null }],
    ]),
  );
  expect(source.environments).toEqual(new Map([[4, "Prod"]]));
  const rows = new Map(source.keys.map((row) => [row.id, row]));
  expect([...rows.keys()].sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(rows.get(1)).toMatchObject({ name: "Deploy Key", projectId: 1, secret: raw, userId: null });
  expect(rows.get(2)?.secret).toBe(`e3LMEojcHgc:${vector}`);
  expect(rows.get(5)?.name).toBe(`tab\there, it's \\ "quoted" 100%_ ünïcode 🔑\nline`);
  expect(rows.get(7)).toMatchObject({ secret: "", plain: "lay \\N here\r\n;" });
});

test.each(Object.keys(dumps))("%s is planned whole: every key opens, or its reason is told", (name) => {
  const planned = plan(textOf(name)).map(({ sourceId, project, problem, unencrypted, body }) => [
    ...[sourceId, project, problem ?? body?.secret, unencrypted],
  ]);
  expect(planned).toEqual([
    [6, "", "belongs to no project", false],
    [1, "my-app", { type: "ssh", login: "", private_key: raw, passphrase: "" }, true],
    [2, "my-app", login, false],
    [3, "my-app", { type: "string", value: "a value" }, false],
    [4, "my-app", { type: "none" }, false],
    [7, "my-app", { type: "string", value: "lay \\N here\r\n;" }, true],
    [5, "o-brien-s-second-app", login, false],
  ]);
});

test.each(Object.keys(dumps))("%s, cut anywhere within its keys, is refused and not quoted", (name) => {
  const sql = textOf(name);
  const start = /^(INSERT INTO|COPY) .*access_key/m.exec(sql)?.index ?? -1;
  const rows = sql.slice(start, sql.indexOf(name.startsWith("my") ? "/*!40000 ALTER" : "\n\n", start));
  expect(rows.length).toBeGreaterThan(500);
  for (let at = 30; at < rows.length - 4; at++) {
    expect(() => readDump(sql.slice(0, start + at))).toThrow(
      /^(it ends within|it was cut|it holds hex|a row of access_key|rows of access_key)[a-z0-9_ :.',]*$/,
    );
  }
});

test("what a dump does not say by itself is refused in a sentence", () => {
  const inserted = (values: string) => () => readDump(`-- MySQL dump 10.13\nINSERT INTO \`access_key\` ${values};`);
  const named = "(`id`, `name`) VALUES";
  expect(inserted("VALUES (1,'a')")).toThrow("name no columns");
  expect(inserted(`${named} (1,CONCAT('canary','b'))`)).toThrow(/^a row of access_key holds an expression/);
  expect(inserted(`${named} (1,'canary',3)`)).toThrow("3 values for 2 columns");
  expect(inserted("(`id`) SELECT 1")).toThrow("are given by an expression");
  expect(() => readDump("-- MySQL dump 10.13\nCREATE TABLE `user` (`id` int);\n-- Dump completed")).toThrow(
    "no table access_key",
  );
  expect(() => readDump("COPY public.access_key (id) FROM stdin;\n1\n")).toThrow("within a table's rows");
});

test("a dump of SQLite whose tables were made in MySQL's quotes is still SQLite's", () => {
  const sql = `PRAGMA foreign_keys=OFF; BEGIN TRANSACTION;
    CREATE TABLE IF NOT EXISTS "access_key" (\`id\` integer primary key, \`name\` text, \`type\` text, \`project_id\` int, \`secret\` text);
    INSERT INTO access_key VALUES(1,'it''s \\n','none',1,NULL); COMMIT;`;
  expect(dialectOf(sql)).toBeNull();
  expect(readDump(sql).keys).toMatchObject([{ id: 1, name: "it's \\n" }]);
});

test.each([
  ["pg_dump's own format", "PGDMP\u0001\u000e", "pg_restore -f"],
  ["gzip", "\u001f\u008b\u0008", "unpack it first"],
  ["zstd", "(\u00b5/\u00fd", "unpack it first"],
])("a file in %s is told how to become text", async (_, head, words) => {
  const file = join(folder, "packed");
  writeFileSync(file, Buffer.from(`${head}xxxxxxxxxxxxxxxx`, "latin1"));
  await expect(readDatabase(file)).rejects.toThrow(words);
});
