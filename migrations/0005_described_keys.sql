-- What may be shown of a private key: its public half (one line of authorized_keys), its fingerprint, its comment.
ALTER TABLE access_keys ADD COLUMN public_key TEXT;
ALTER TABLE access_keys ADD COLUMN fingerprint TEXT;
ALTER TABLE access_keys ADD COLUMN comment TEXT;
