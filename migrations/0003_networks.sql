-- From where people, agents and viewers may come: a JSON list of CIDR ranges each, NULL for anywhere.
CREATE TABLE networks (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  people TEXT,
  agents TEXT,
  viewers TEXT,
  revision INTEGER NOT NULL
) STRICT;

INSERT INTO networks (singleton, revision) VALUES (1, 1);
