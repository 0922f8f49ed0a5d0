-- A log that outlived its project's retention is gone from its room. When, and the SHA-256 of its stored bytes: whoever
-- downloaded it can still show that it is the one.
ALTER TABLE jobs ADD COLUMN log_deleted_at INTEGER;
ALTER TABLE jobs ADD COLUMN log_sha256 BLOB CHECK (log_sha256 IS NULL OR length(log_sha256) = 32);
