-- The first schema. Times are milliseconds since the epoch; ids are UUIDs in lower case; digests are SHA-256.
-- docs/storage.md says what each table holds and why.

-- A guarded batch begins with `INSERT INTO must SELECT EXISTS(<guard>) WHERE 1 ON CONFLICT(ok) DO NOTHING`: a
-- guard that fails inserts 0, and the CHECK aborts the whole batch. Never OR IGNORE: it swallows the CHECK.
CREATE TABLE must (ok INTEGER PRIMARY KEY CHECK (ok = 1)) STRICT;

CREATE TABLE organization (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- Values of BOOTSTRAP_TOKEN that were used: each works once.
CREATE TABLE bootstraps (digest BLOB PRIMARY KEY, token_id TEXT NOT NULL, at INTEGER NOT NULL) STRICT;

-- ── Sealing ─────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE sealing_keys (
  key_id BLOB PRIMARY KEY CHECK (length(key_id) = 8),
  self_test BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- The one key that seals. Triggers on every sealed table abort a write under any other.
CREATE TABLE sealing_state (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  seals_with BLOB NOT NULL REFERENCES sealing_keys (key_id)
) STRICT;

-- ── Accounts ────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE projects (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  -- In every subject of the project's tokens: unique, and never changed.
  repository_name TEXT NOT NULL UNIQUE,
  repository TEXT NOT NULL,
  settings TEXT NOT NULL,
  revision INTEGER NOT NULL,
  request_mac BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL
) STRICT;

CREATE TABLE api_tokens (
  id TEXT PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('guest', 'task_runner', 'manager', 'owner')),
  project_id TEXT REFERENCES projects (id),
  expires_at INTEGER,
  request_mac BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT,
  revoked_at INTEGER
) STRICT;

CREATE TABLE socket_tickets (
  digest BLOB PRIMARY KEY,
  purpose TEXT NOT NULL,
  job_id TEXT,
  token_id TEXT NOT NULL REFERENCES api_tokens (id),
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX socket_tickets_by_expiry ON socket_tickets (expires_at);

-- ── Access keys ─────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE access_keys (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects (id),
  name TEXT NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('ssh', 'login_password', 'string', 'none')),
  -- Null for type none, which holds no secret.
  sealed BLOB,
  secret_bytes INTEGER NOT NULL,
  secret_version INTEGER NOT NULL,
  policy TEXT NOT NULL,
  revision INTEGER NOT NULL,
  request_mac BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  last_used_at INTEGER,
  last_used_job TEXT,
  UNIQUE (project_id, name)
) STRICT;

CREATE TRIGGER access_keys_insert_under_current_key BEFORE INSERT ON access_keys
WHEN NEW.sealed IS NOT NULL AND substr(NEW.sealed, 2, 8) IS NOT (SELECT seals_with FROM sealing_state)
BEGIN SELECT RAISE(ABORT, 'stale sealing key'); END;

CREATE TRIGGER access_keys_update_under_current_key BEFORE UPDATE OF sealed ON access_keys
WHEN NEW.sealed IS NOT NULL AND substr(NEW.sealed, 2, 8) IS NOT (SELECT seals_with FROM sealing_state)
BEGIN SELECT RAISE(ABORT, 'stale sealing key'); END;

-- ── Agents ──────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE agent_types (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  policy TEXT NOT NULL,
  revision INTEGER NOT NULL,
  request_mac BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL
) STRICT;

-- The projects of an agent type's policy, as rows: the claim checks them in its one statement.
CREATE TABLE agent_type_projects (
  agent_type_id TEXT NOT NULL REFERENCES agent_types (id),
  project_id TEXT NOT NULL REFERENCES projects (id),
  PRIMARY KEY (agent_type_id, project_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_type_projects_by_project ON agent_type_projects (project_id);

CREATE TABLE registration_tokens (
  id TEXT PRIMARY KEY,
  agent_type_id TEXT NOT NULL REFERENCES agent_types (id),
  digest BLOB NOT NULL UNIQUE,
  -- Null: any number.
  uses_left INTEGER CHECK (uses_left >= 0),
  expires_at INTEGER,
  request_mac BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL
) STRICT;

CREATE TABLE agents (
  id TEXT PRIMARY KEY,
  agent_type_id TEXT NOT NULL REFERENCES agent_types (id),
  registration_token_id TEXT NOT NULL REFERENCES registration_tokens (id),
  name TEXT NOT NULL,
  token_digest BLOB NOT NULL UNIQUE,
  version TEXT NOT NULL,
  os TEXT NOT NULL,
  arch TEXT NOT NULL,
  hostname TEXT NOT NULL,
  single_job INTEGER NOT NULL,
  idle_timeout_seconds INTEGER NOT NULL,
  interruption_grace_seconds INTEGER NOT NULL,
  registered_at INTEGER NOT NULL,
  last_sync_at INTEGER,
  state TEXT NOT NULL,
  state_changed_at INTEGER NOT NULL,
  -- When the agent was told to end, by its own SIGTERM; 0: it was not.
  interrupted_at INTEGER NOT NULL,
  disconnected_at INTEGER
) STRICT;
CREATE UNIQUE INDEX agents_connected_by_name ON agents (agent_type_id, name) WHERE disconnected_at IS NULL;

-- ── Jobs ────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE workflows (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects (id),
  git TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL
) STRICT;

CREATE TABLE pipelines (
  id TEXT PRIMARY KEY,
  workflow_id TEXT NOT NULL REFERENCES workflows (id),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects (id),
  pipeline_id TEXT NOT NULL REFERENCES pipelines (id),
  name TEXT NOT NULL,
  agent_type_id TEXT NOT NULL REFERENCES agent_types (id),
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'stopping', 'finished')),
  result TEXT CHECK (result IN ('passed', 'failed', 'stopped')),
  reason TEXT,
  agent_id TEXT REFERENCES agents (id),
  claim_number INTEGER NOT NULL,
  claimed_at INTEGER,
  -- When it was handed over to the agent of this claim, secrets and all.
  handed_over_at INTEGER,
  -- When the agent first said that it runs the job: GET job answers 404 from then on.
  fetch_closed_at INTEGER,
  -- The sealing key under which the job's masks rest in its log room, until the job ends.
  mask_key_id BLOB,
  time_limit_seconds INTEGER NOT NULL,
  request_mac BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  stop_requested_at INTEGER,
  stop_reason TEXT,
  CHECK ((state = 'finished') = (result IS NOT NULL)),
  CHECK ((state = 'queued') <= (agent_id IS NULL))
) STRICT;
CREATE INDEX jobs_by_project ON jobs (project_id, id);
CREATE INDEX jobs_queued ON jobs (agent_type_id, created_at, id) WHERE state = 'queued';
-- An agent runs one job at a time, whatever anybody does.
CREATE UNIQUE INDEX jobs_one_per_agent ON jobs (agent_id) WHERE state IN ('running', 'stopping');

CREATE TRIGGER jobs_mask_under_current_key BEFORE UPDATE OF mask_key_id ON jobs
WHEN NEW.mask_key_id IS NOT NULL AND NEW.mask_key_id IS NOT (SELECT seals_with FROM sealing_state)
BEGIN SELECT RAISE(ABORT, 'stale sealing key'); END;

CREATE TRIGGER jobs_finish_once BEFORE UPDATE ON jobs
WHEN OLD.state = 'finished' AND (NEW.state <> 'finished' OR NEW.result <> OLD.result)
BEGIN SELECT RAISE(ABORT, 'a finished job does not change'); END;

CREATE TABLE job_specs (job_id TEXT PRIMARY KEY REFERENCES jobs (id), sealed BLOB NOT NULL) STRICT;

CREATE TRIGGER job_specs_insert_under_current_key BEFORE INSERT ON job_specs
WHEN substr(NEW.sealed, 2, 8) IS NOT (SELECT seals_with FROM sealing_state)
BEGIN SELECT RAISE(ABORT, 'stale sealing key'); END;

CREATE TRIGGER job_specs_update_under_current_key BEFORE UPDATE OF sealed ON job_specs
WHEN substr(NEW.sealed, 2, 8) IS NOT (SELECT seals_with FROM sealing_state)
BEGIN SELECT RAISE(ABORT, 'stale sealing key'); END;

-- Keys that a job names: what a key's deletion would break, without opening a spec.
CREATE TABLE job_keys (
  job_id TEXT NOT NULL REFERENCES jobs (id),
  key_id TEXT NOT NULL,
  PRIMARY KEY (job_id, key_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_keys_by_key ON job_keys (key_id);

-- Every mint of an identity token: enough to sign the same token again, never the token.
CREATE TABLE identity_ledger (
  jti TEXT PRIMARY KEY,
  job_id TEXT NOT NULL REFERENCES jobs (id),
  claim_number INTEGER NOT NULL,
  agent_id TEXT NOT NULL,
  -- 1 for the token of SEMAPHORE_OIDC_TOKEN, of which a claim has one.
  is_default INTEGER NOT NULL,
  kid TEXT NOT NULL,
  aud TEXT NOT NULL,
  sub TEXT NOT NULL,
  issued_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX identity_ledger_default ON identity_ledger (job_id, claim_number) WHERE is_default = 1;
CREATE INDEX identity_ledger_by_kid ON identity_ledger (kid, expires_at);

-- ── Audit ───────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  action TEXT NOT NULL,
  principal_kind TEXT NOT NULL,
  principal_id TEXT NOT NULL,
  project_id TEXT,
  job_id TEXT,
  key_id TEXT,
  details TEXT NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;
CREATE INDEX audit_by_job ON audit (job_id, seq) WHERE job_id IS NOT NULL;
CREATE INDEX audit_by_key ON audit (key_id, seq) WHERE key_id IS NOT NULL;
CREATE INDEX audit_by_principal ON audit (principal_id, seq);

CREATE TRIGGER audit_never_updated BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_never_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
-- INSERT OR REPLACE fires no DELETE trigger (recursive_triggers is off).
CREATE TRIGGER audit_never_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
