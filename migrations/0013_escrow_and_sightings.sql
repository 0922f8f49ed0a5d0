-- That a copy of a sealing key is kept, and how; never the key. Without a row nobody has said so.
CREATE TABLE sealing_escrows (
  key_id BLOB PRIMARY KEY,
  -- `shown`: to a person who typed its id back. `recipient`: encrypted to one. `declined`: no copy, on purpose.
  how TEXT NOT NULL CHECK (how IN ('shown', 'recipient', 'declined')),
  recipient TEXT,
  kept_at INTEGER NOT NULL,
  kept_by TEXT NOT NULL,
  CHECK ((recipient IS NOT NULL) = (how = 'recipient'))
) STRICT;

-- That a person has seen an access key's secret, outside of any job (`signalbox recover`): it is to be replaced.
CREATE TABLE key_sightings (
  key_id TEXT NOT NULL REFERENCES access_keys (id) ON DELETE CASCADE,
  secret_version INTEGER NOT NULL,
  seen_by TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (key_id, secret_version, seen_by)
) STRICT, WITHOUT ROWID;
