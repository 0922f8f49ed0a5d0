/** Every table that holds sealed records, with the row that each record is bound to (docs/storage.md, "Sealing"). */

import type { SealContext, SealPurpose } from "../crypto/sealing.ts";
import { type Bytes, fromBlob } from "../lib/bytes.ts";

export interface SealedTable {
  readonly name: "access_keys" | "job_specs";
  readonly purpose: SealPurpose;
  readonly idColumn: string;
  /** `SELECT` of id, sealed, project_id, secret_version and type; the last two constant where the table has none. */
  readonly rows: string;
}

/** In the order in which they are walked. */
export const sealedTables: readonly SealedTable[] = [
  {
    name: "access_keys",
    purpose: "access_key",
    idColumn: "id",
    rows: `SELECT id, sealed, COALESCE(project_id, '') AS project_id, secret_version, type FROM access_keys
      WHERE sealed IS NOT NULL`,
  },
  {
    name: "job_specs",
    purpose: "job_spec",
    idColumn: "job_id",
    rows: `SELECT s.job_id AS id, s.sealed, j.project_id, 0 AS secret_version, '' AS type
      FROM job_specs s JOIN jobs j ON j.id = s.job_id WHERE TRUE`,
  },
];

export interface SealedRow {
  readonly id: string;
  readonly sealed: Bytes;
  readonly context: SealContext;
}

/** Bytes of one batch: they are held at once. */
const bytesMax = 8 * 1024 * 1024;

/** At most `rowsMax` rows behind `afterId`, in order of id; those under the key `except` left out where it is given. */
export async function nextRows(
  db: D1Database,
  table: SealedTable,
  afterId: string,
  except: Bytes | null,
  rowsMax: number,
): Promise<SealedRow[]> {
  const { results } = await db
    .prepare(
      `SELECT * FROM (
         SELECT *, sum(length(sealed)) OVER (ORDER BY id) - length(sealed) AS bytes_before FROM (
           SELECT * FROM (${table.rows} AND ${table.idColumn === "job_id" ? "s.job_id" : "id"} > ?1
             AND (?2 IS NULL OR substr(sealed, 2, 8) IS NOT ?2)) ORDER BY id LIMIT ?3))
       WHERE bytes_before < ${bytesMax} ORDER BY id`,
    )
    .bind(afterId, except, rowsMax)
    .all<{ id: string; sealed: number[]; project_id: string; secret_version: number; type: string }>();
  return results.map((row) => ({
    id: row.id,
    sealed: fromBlob(row.sealed),
    context: {
      purpose: table.purpose,
      projectId: row.project_id,
      recordId: row.id,
      secretVersion: row.secret_version,
      type: row.type,
    },
  }));
}

/** By compare-and-swap: a record that was changed since it was read is left as it is. */
export function swapRecord(db: D1Database, table: SealedTable, row: SealedRow, sealed: Bytes): D1PreparedStatement {
  return db
    .prepare(`UPDATE ${table.name} SET sealed = ? WHERE ${table.idColumn} = ? AND sealed = ?`)
    .bind(sealed, row.id, row.sealed);
}
