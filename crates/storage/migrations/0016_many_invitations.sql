-- Kitting: one code that admits many devices of one site, each by an invitation of its own.
CREATE TABLE kitting (
    id TEXT PRIMARY KEY,
    code_hash BYTEA NOT NULL UNIQUE,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    site TEXT NOT NULL REFERENCES site (id),
    -- What a device is called unless somebody says otherwise; {n} stands for its number.
    label TEXT NOT NULL,
    places BIGINT NOT NULL,
    -- New devices in any minute, at most.
    per_minute BIGINT NOT NULL,
    -- From where, separated by spaces; empty for from everywhere.
    networks TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'ended')),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Of an invitation that is a place of a kitting code. Its key is known from the beginning.
ALTER TABLE invitation ADD COLUMN kitting TEXT REFERENCES kitting (id);
ALTER TABLE invitation ADD COLUMN kitting_number BIGINT;
CREATE UNIQUE INDEX invitation_kitting ON invitation (kitting, kitting_number) WHERE kitting IS NOT NULL;

-- Lists of invitations that registered clients sent.
CREATE TABLE invitation_list (
    id TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    -- SHA-256 of what was sent, so that a key is not used for something else.
    request_hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    -- How long each invitation waits, in milliseconds.
    life BIGINT NOT NULL,
    -- When the last line was done, and when the codes were handed over.
    done_at BIGINT,
    handed_over_at BIGINT,
    UNIQUE (client, idempotency_key)
);

CREATE TABLE invitation_line (
    list TEXT NOT NULL REFERENCES invitation_list (id),
    number BIGINT NOT NULL,
    -- As it was judged when the list came; nothing of a line that could not be read.
    tenant TEXT,
    site TEXT,
    label TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'invited', 'refused')),
    refusal TEXT,
    invitation TEXT REFERENCES invitation (id),
    PRIMARY KEY (list, number)
);
CREATE INDEX invitation_line_waiting ON invitation_line (list, number) WHERE state = 'waiting';
