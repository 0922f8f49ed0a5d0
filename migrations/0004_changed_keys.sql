-- Who changed an access key last, and when; null: nobody since it was made.
ALTER TABLE access_keys ADD COLUMN changed_at INTEGER;
ALTER TABLE access_keys ADD COLUMN changed_by TEXT;

-- What a job calls a key: a key that is renamed still reaches the jobs that were started under its old name.
ALTER TABLE job_keys ADD COLUMN name TEXT NOT NULL DEFAULT '';
UPDATE job_keys SET name = COALESCE((SELECT name FROM access_keys WHERE access_keys.id = job_keys.key_id), '');
