-- A short code to type, beside the long one of the link: slowly hashed, and only for a while.
ALTER TABLE invitation ADD COLUMN short_hash BYTEA;
ALTER TABLE invitation ADD COLUMN short_until BIGINT;
CREATE UNIQUE INDEX invitation_short_hash ON invitation (short_hash);
