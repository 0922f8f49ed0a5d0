/** What lies in the database and in a job's room, for what no route shows. */
import type { Harness } from "./harness.ts";

async function tableNames({ db }: Harness): Promise<string[]> {
  const { results } = await db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'")
    .all<{ name: string }>();
  return results.map((row) => row.name);
}

/** Rows of every table, by its name: the same before and after where nothing was written. */
export async function rowCounts(harness: Harness): Promise<Record<string, number>> {
  const names = await tableNames(harness);
  const counts = names.map((name) => `SELECT '${name}' AS name, count(*) AS n FROM "${name}"`);
  // One statement for a few tables each: SQLite's compound SELECTs are short on D1.
  const groups = Array.from({ length: Math.ceil(counts.length / 5) }, (_, at) => counts.slice(at * 5, at * 5 + 5));
  const results = await harness.db.batch<{ name: string; n: number }>(
    groups.map((group) => harness.db.prepare(group.join(" UNION ALL "))),
  );
  return Object.fromEntries(results.flatMap((result) => result.results).map(({ name, n }) => [name, n]));
}

/** Everything that a dump of the database would show, as text; BLOBs byte by byte. */
export async function dumpDatabase(harness: Harness): Promise<string> {
  const parts: string[] = [];
  const names = await tableNames(harness);
  const tables = await harness.db.batch<Record<string, unknown>>(
    names.map((name) => harness.db.prepare(`SELECT * FROM "${name}"`)),
  );
  for (const { results } of tables) {
    for (const value of results.flatMap((row) => Object.values(row))) {
      parts.push(Array.isArray(value) ? Buffer.from(value).toString("latin1") : String(value));
    }
  }
  return parts.join("\n");
}

/** The forms in which a secret could lie in a dump or a log without being the secret's own bytes. */
export function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const shifted = [0, 1, 2].map((by) =>
    Buffer.concat([Buffer.alloc(by), bytes])
      .toString("base64")
      .slice(4, -4)
      .replaceAll("=", ""),
  );
  return [secret, bytes.toString("hex"), ...shifted];
}

/** What the house itself says in a job's log: gaps and notices, in order. */
export async function noticesOf(harness: Harness, jobId: string): Promise<string[]> {
  const rows = await harness.roomRows(jobId, "SELECT kind, body FROM records WHERE kind = 'notice' ORDER BY seq");
  return (rows as { body: ArrayBuffer }[]).map(({ body }) => Buffer.from(body).toString());
}
