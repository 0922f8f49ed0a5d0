/** The tables of a room's SQLite. Rooms outlive deployments: an older one is given a new table here, never a new column. */

const tables = `
  CREATE TABLE IF NOT EXISTS room (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    job_id TEXT,
    project_id TEXT,
    claim_number INTEGER,
    mask_revision INTEGER NOT NULL DEFAULT 0,
    head INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    last_seq INTEGER NOT NULL DEFAULT 0,
    is_full INTEGER NOT NULL DEFAULT 0,
    result TEXT,
    deadline_at INTEGER,
    sweep_at INTEGER
  );
  -- Apart from the room's row, which every push rewrites. One for each arm of the claim: what an agent was handed
  -- once stays masked, whatever it is handed when it asks again.
  CREATE TABLE IF NOT EXISTS masks (
    id INTEGER PRIMARY KEY,
    claim_number INTEGER NOT NULL,
    -- 1: of a token that the running job asked for.
    is_asked INTEGER NOT NULL DEFAULT 0,
    sealed BLOB NOT NULL
  );
  -- No row: nothing is held back. Numbers alone: what they stand for can be told only by who opens the masks.
  CREATE TABLE IF NOT EXISTS carry (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    needle INTEGER NOT NULL,
    depth INTEGER NOT NULL,
    masked INTEGER NOT NULL
  );
  -- No row: the log is not final.
  CREATE TABLE IF NOT EXISTS life (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    closed_at INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    look_at INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    position INTEGER NOT NULL,
    until INTEGER NOT NULL,
    part INTEGER NOT NULL DEFAULT 0,
    parts INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL
  );
`;

/** Whether anything was ever written to the room, or to this table of it. */
export function hasTables(storage: DurableObjectStorage, name = "room"): boolean {
  return storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", name).toArray().length > 0;
}

/** Those that are missing. */
export function createTables(storage: DurableObjectStorage): void {
  storage.sql.exec(tables);
}
