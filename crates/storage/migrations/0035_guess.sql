-- Wrong guesses at what can be guessed, counted for all servers together. A fixed number of counters of each kind, however
-- many strangers guess: `slot` is drawn from the network they come from and the secret, and says nothing of either.
CREATE TABLE guess (
    kind TEXT NOT NULL,
    slot BIGINT NOT NULL CHECK (slot >= 0 AND slot < 65538),
    -- The period that `wrong` was counted in: a counter of another period counts for nothing.
    period BIGINT NOT NULL,
    wrong BIGINT NOT NULL,
    PRIMARY KEY (kind, slot)
);

CREATE TABLE guess_secret (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    secret BYTEA NOT NULL
);
