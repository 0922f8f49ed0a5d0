/** The access keys of a `wrangler d1 export`, opened on the operator's machine. */
import { constants, DatabaseSync } from "node:sqlite";
import { keyIdOf, openRecord, type RecoveryKey } from "./open-record.ts";

/** A key of the export. `secret` is the JSON text that was sealed; null where there is none or it does not open. */
export interface RecoveredKey {
  readonly id: string;
  readonly project: string;
  readonly name: string;
  readonly type: string;
  readonly secretVersion: number;
  readonly secret: string | null;
  /** Why it does not open; null where it does. */
  readonly problem: string | null;
}

// Organization keys have no project.
const select = `
  SELECT k.id, COALESCE(k.project_id, '') AS project_id, COALESCE(p.name, '') AS project, k.name, k.type, k.sealed,
    k.secret_version
  FROM access_keys k LEFT JOIN projects p ON p.id = k.project_id ORDER BY project, k.name, k.id`;

/** Every key of the export's text, opened where one of `keys` sealed it. @throws where the text is no such export. */
export function readExport(sql: string, keys: readonly RecoveryKey[]): RecoveredKey[] {
  const db = new DatabaseSync(":memory:", { enableForeignKeyConstraints: false });
  try {
    db.setAuthorizer(authorize);
    db.exec(sql);
    return db
      .prepare(select)
      .all()
      .map((row) => recovered(row, keys));
  } finally {
    db.close();
  }
}

/**
 * An export may come from anybody, and is SQL: it may fill the memory of its own database, and reach no file. ATTACH
 * is also what VACUUM INTO asks for.
 */
function authorize(action: number, first: string | null, second: string | null): number {
  const { SQLITE_ATTACH, SQLITE_DETACH, SQLITE_CREATE_VTABLE, SQLITE_PRAGMA, SQLITE_FUNCTION } = constants;
  const isDenied =
    [SQLITE_ATTACH, SQLITE_DETACH, SQLITE_CREATE_VTABLE].includes(action) ||
    (action === SQLITE_PRAGMA && first !== "defer_foreign_keys") ||
    (action === SQLITE_FUNCTION && second === "load_extension");
  return isDenied ? constants.SQLITE_DENY : constants.SQLITE_OK;
}

function recovered(row: Record<string, unknown>, keys: readonly RecoveryKey[]): RecoveredKey {
  const type = String(row.type);
  const shown = {
    id: String(row.id),
    project: String(row.project),
    name: String(row.name),
    type,
    secretVersion: Number(row.secret_version),
  };
  const { sealed } = row;
  if (type === "none") return { ...shown, secret: null, problem: null };
  const idHex = sealed instanceof Uint8Array ? keyIdOf(sealed) : null;
  if (!(sealed instanceof Uint8Array) || idHex === null) return { ...shown, secret: null, problem: "holds no record" };
  const key = keys.find((candidate) => candidate.idHex === idHex);
  if (key === undefined) return { ...shown, secret: null, problem: `is sealed under the key ${idHex}, not given` };
  const opened = openRecord(key, sealed, {
    purpose: "access_key",
    projectId: String(row.project_id),
    recordId: shown.id,
    secretVersion: shown.secretVersion,
    type,
  });
  if (opened === null) return { ...shown, secret: null, problem: "was altered or moved: it does not open" };
  return { ...shown, secret: opened.toString("utf8"), problem: null };
}
