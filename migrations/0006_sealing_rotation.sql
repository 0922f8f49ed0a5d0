-- Who may write the idle slot: of two rotations that begin together, the later would overwrite a key that seals.
CREATE TABLE sealing_rotation (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  -- The key that is about to be put.
  key_id BLOB NOT NULL,
  begun_at INTEGER NOT NULL
) STRICT;
