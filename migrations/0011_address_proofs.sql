-- Whether an address that a client forges comes through the proxy in front: asked for by an owner, judged once here.
CREATE TABLE address_proofs (
  id TEXT PRIMARY KEY,
  token_id TEXT NOT NULL REFERENCES api_tokens (id),
  issuer TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  judged_at INTEGER,
  verdict TEXT CHECK (verdict IN ('proven', 'disproven', 'incomplete'))
) STRICT;

-- The requests of a proof that is open: each with what it forges, and the address that it was seen to come from.
CREATE TABLE address_trials (
  digest BLOB PRIMARY KEY,
  proof_id TEXT NOT NULL REFERENCES address_proofs (id),
  number INTEGER NOT NULL,
  path TEXT NOT NULL,
  upgrade INTEGER NOT NULL,
  forged TEXT NOT NULL,
  -- NULL: this one forges nothing.
  forged_address TEXT,
  -- Whether what refuses it on its way refuses what it forges: then it need not arrive.
  refusable INTEGER NOT NULL,
  seen_at INTEGER,
  seen_address TEXT
) STRICT;
CREATE INDEX address_trials_by_proof ON address_trials (proof_id, number);
