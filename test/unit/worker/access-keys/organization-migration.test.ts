/** The migration that makes the table of keys anew, over a database that holds keys already. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";

const folder = join(import.meta.dirname, "../../../../migrations");
const migrations = readdirSync(folder)
  .filter((name) => name.endsWith(".sql"))
  .sort();
const anew = migrations.indexOf("0012_organization_keys.sql");
const migrate = (db: DatabaseSync, names: readonly string[]) => {
  for (const name of names) db.exec(readFileSync(join(folder, name), "utf8"));
};

it("keeps every key as it is, what guards the table, and the jobs that name its keys", () => {
  const db = new DatabaseSync(":memory:");
  migrate(db, migrations.slice(0, anew));
  const columns = (table: string) =>
    db
      .prepare('SELECT name, type, "notnull" FROM pragma_table_info(?)')
      .all(table)
      .map((column) => ({ ...column }));
  /** A row with something in every column, so that one that is lost or swapped shows. */
  const fill = (table: string, over: Record<string, string | number | Uint8Array | null>) => {
    const row = Object.fromEntries(
      columns(table).map(({ name, type }, at) => [String(name), type === "INTEGER" ? at : `${table} ${name}`]),
    );
    const all = Object.entries({ ...row, ...over });
    db.prepare(`INSERT INTO ${table} (${all.map(([name]) => name)}) VALUES (${all.map(() => "?")})`).run(
      ...all.map(([, value]) => value),
    );
  };
  const sealed = new Uint8Array(101).fill(7);
  const bytes = new Uint8Array(32);
  fill("sealing_keys", { key_id: sealed.slice(1, 9), self_test: sealed });
  fill("sealing_state", { singleton: 1, seals_with: sealed.slice(1, 9) });
  fill("projects", { id: "p", request_mac: bytes });
  fill("access_keys", { id: "k", project_id: "p", name: "deploy", type: "string", sealed, request_mac: bytes });
  const keys = () => db.prepare("SELECT * FROM access_keys").all();
  const before = keys();
  const shape = columns("access_keys").toSorted((a, b) => String(a.name).localeCompare(String(b.name)));

  migrate(db, migrations.slice(anew));

  expect(keys().map((row) => ({ ...row }))).toEqual(before.map((row) => ({ ...row })));
  const now = columns("access_keys").toSorted((a, b) => String(a.name).localeCompare(String(b.name)));
  expect(now).toEqual(shape.map((column) => (column.name === "project_id" ? { ...column, notnull: 0 } : column)));
  const change =
    (sql: string, ...values: (Uint8Array | string)[]) =>
    () =>
      db.prepare(sql).run(...values);
  const stale = new Uint8Array(101).fill(8);
  expect(change("UPDATE access_keys SET sealed = ?", stale)).toThrow("stale sealing key");
  const copy = "INSERT INTO access_keys SELECT * FROM (SELECT * FROM access_keys)";
  expect(change(copy)).toThrow("UNIQUE");
  expect(change("UPDATE access_keys SET project_id = 'nowhere'")).toThrow("FOREIGN KEY");
  db.close();
});
