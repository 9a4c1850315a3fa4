-- Who may enrol a first device: the rules of a tenant and of a site, as JSON. None: no rule.
ALTER TABLE tenant ADD COLUMN policy TEXT;
ALTER TABLE site ADD COLUMN policy TEXT;
-- What those rules say of the number of devices, again, where a reservation can look at it.
ALTER TABLE tenant ADD COLUMN places BIGINT;
ALTER TABLE site ADD COLUMN places BIGINT;

-- First certificates that wait for somebody's approval, each for one key.
CREATE TABLE approval (
    id TEXT PRIMARY KEY,
    invitation TEXT NOT NULL REFERENCES invitation (id),
    key_hash BYTEA NOT NULL,
    -- PKCS#10, DER: whoever only asks how things stand brings no request again.
    request BYTEA NOT NULL,
    platform TEXT NOT NULL,
    address TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'granted', 'declined')),
    reason TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    decided_at BIGINT,
    UNIQUE (invitation, key_hash)
);
CREATE INDEX approval_waiting ON approval (expires_at) WHERE state = 'waiting';
CREATE INDEX approval_key ON approval (key_hash);
