-- Identity profiles: which tokens, besides the default one, the jobs of a project may ask for.
CREATE TABLE identity_profiles (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects (id),
  name TEXT NOT NULL,
  profile TEXT NOT NULL,
  revision INTEGER NOT NULL,
  request_mac BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (project_id, name)
) STRICT;

CREATE INDEX identity_ledger_by_job ON identity_ledger (job_id);
