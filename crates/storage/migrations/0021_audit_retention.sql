-- The audit log lets go of what is old, and keeps the proof of the rest.

-- Entries that were let go, from the first to the last: the chain goes on after them from this hash. An entry of the log says so
-- of each, with a digest, so that nobody makes a gap unseen.
CREATE TABLE audit_gap (
    first BIGINT PRIMARY KEY,
    last BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    entry BIGINT NOT NULL
);
CREATE INDEX audit_gap_last ON audit_gap (last);

-- What is left of entries about tokens: how many, for each device or registered client and day of Japan.
CREATE TABLE token_day (
    holder TEXT NOT NULL,
    day BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    refreshed BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (holder, day)
);
CREATE INDEX token_day_day ON token_day (day);

-- How far the log was gone through for tokens, and for what is too old.
CREATE TABLE audit_retention (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    folded BIGINT NOT NULL,
    pruned BIGINT NOT NULL
);
INSERT INTO audit_retention (id, folded, pruned) VALUES (1, 0, 0);
