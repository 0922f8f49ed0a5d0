-- The ledger as a project's managers read it, newest first: jti is a UUID v7, which sorts by time.
ALTER TABLE identity_ledger ADD COLUMN project_id TEXT NOT NULL DEFAULT '';
UPDATE identity_ledger SET project_id = (SELECT project_id FROM jobs WHERE jobs.id = identity_ledger.job_id);
CREATE INDEX identity_ledger_by_project ON identity_ledger (project_id, jti);
