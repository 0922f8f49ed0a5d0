-- A key belongs to a project, or to the organization (no project) and is shared with chosen projects. The table is made
-- anew, since SQLite takes no NOT NULL from a column.
CREATE TABLE access_keys_anew (
  id TEXT PRIMARY KEY,
  -- Null: the organization's.
  project_id TEXT REFERENCES projects (id),
  name TEXT NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('ssh', 'login_password', 'string', 'none')),
  -- Null for type none, which holds no secret.
  sealed BLOB,
  secret_bytes INTEGER NOT NULL,
  secret_version INTEGER NOT NULL,
  policy TEXT NOT NULL,
  public_key TEXT,
  fingerprint TEXT,
  comment TEXT,
  revision INTEGER NOT NULL,
  request_mac BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  changed_at INTEGER,
  changed_by TEXT,
  last_used_at INTEGER,
  last_used_job TEXT,
  UNIQUE (project_id, name)
) STRICT;
INSERT INTO access_keys_anew (id, project_id, name, type, sealed, secret_bytes, secret_version, policy, public_key,
  fingerprint, comment, revision, request_mac, created_at, created_by, changed_at, changed_by, last_used_at, last_used_job)
SELECT id, project_id, name, type, sealed, secret_bytes, secret_version, policy, public_key,
  fingerprint, comment, revision, request_mac, created_at, created_by, changed_at, changed_by, last_used_at, last_used_job
FROM access_keys;
DROP TABLE access_keys;
ALTER TABLE access_keys_anew RENAME TO access_keys;
-- NULLs are never equal to one another in a UNIQUE constraint.
CREATE UNIQUE INDEX access_keys_of_organization ON access_keys (name) WHERE project_id IS NULL;

CREATE TRIGGER access_keys_insert_under_current_key BEFORE INSERT ON access_keys
WHEN NEW.sealed IS NOT NULL AND substr(NEW.sealed, 2, 8) IS NOT (SELECT seals_with FROM sealing_state)
BEGIN SELECT RAISE(ABORT, 'stale sealing key'); END;

CREATE TRIGGER access_keys_update_under_current_key BEFORE UPDATE OF sealed ON access_keys
WHEN NEW.sealed IS NOT NULL AND substr(NEW.sealed, 2, 8) IS NOT (SELECT seals_with FROM sealing_state)
BEGIN SELECT RAISE(ABORT, 'stale sealing key'); END;

CREATE TABLE key_shares (
  key_id TEXT NOT NULL REFERENCES access_keys (id) ON DELETE CASCADE,
  project_id TEXT NOT NULL REFERENCES projects (id),
  shared_at INTEGER NOT NULL,
  shared_by TEXT NOT NULL,
  -- By this project's jobs: a project learns nothing of another's.
  last_used_at INTEGER,
  last_used_job TEXT,
  PRIMARY KEY (key_id, project_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX key_shares_by_project ON key_shares (project_id);

-- A name means one key in a project, its own or a shared one: a job would else be handed another than its author read.
CREATE TRIGGER key_shares_name_free BEFORE INSERT ON key_shares
WHEN EXISTS (
  SELECT 1 FROM access_keys own JOIN access_keys shared ON shared.id = NEW.key_id AND shared.name = own.name
  WHERE own.project_id = NEW.project_id)
BEGIN SELECT RAISE(ABORT, 'key name taken'); END;

CREATE TRIGGER key_shares_of_organization_keys BEFORE INSERT ON key_shares
WHEN NOT EXISTS (SELECT 1 FROM access_keys WHERE id = NEW.key_id AND project_id IS NULL)
BEGIN SELECT RAISE(ABORT, 'not an organization key'); END;

CREATE TRIGGER access_keys_insert_name_free BEFORE INSERT ON access_keys
WHEN EXISTS (
  SELECT 1 FROM key_shares s JOIN access_keys shared ON shared.id = s.key_id
  WHERE s.project_id = NEW.project_id AND shared.name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'key name taken'); END;

CREATE TRIGGER access_keys_rename_name_free BEFORE UPDATE OF name ON access_keys
WHEN NEW.name <> OLD.name AND (
  EXISTS (
    SELECT 1 FROM key_shares s JOIN access_keys shared ON shared.id = s.key_id
    WHERE s.project_id = NEW.project_id AND shared.name = NEW.name)
  OR EXISTS (
    SELECT 1 FROM key_shares s JOIN access_keys own ON own.project_id = s.project_id
    WHERE s.key_id = NEW.id AND own.name = NEW.name))
BEGIN SELECT RAISE(ABORT, 'key name taken'); END;
