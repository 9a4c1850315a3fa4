-- The hash of the last line of the revocation log that this ledger contains. A ledger restored from a backup has an
-- older one than the log, and so knows that it has to catch up, and from where.
ALTER TABLE head ADD COLUMN log_hash BYTEA;
