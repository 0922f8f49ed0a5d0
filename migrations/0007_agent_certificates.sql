-- The client certificates of which an agent of this type must present one: a JSON list of SHA-256 fingerprints, NULL for
-- none asked.
ALTER TABLE agent_types ADD COLUMN certificates TEXT;
