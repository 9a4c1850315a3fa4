-- Refresh tokens. A family is what one grant has become: it belongs to a device, whatever certificate the device shows by
-- now, and at any time one value of it is current. Only hashes of values are kept.
CREATE TABLE token_family (
    id TEXT PRIMARY KEY,
    device TEXT NOT NULL REFERENCES device (id),
    audience TEXT NOT NULL,
    -- A hash that stands for a person; none where the device acts for itself.
    subject TEXT,
    current_hash BYTEA NOT NULL,
    -- The value before it, which works once more until then: the answer with the current one may have been lost.
    previous_hash BYTEA,
    previous_until BIGINT,
    state TEXT NOT NULL CHECK (state IN ('living', 'ended')),
    reason TEXT,
    created_at BIGINT NOT NULL,
    -- The end if nobody uses it, and the end in any case.
    idle_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX token_family_device ON token_family (device);
CREATE INDEX token_family_idle ON token_family (idle_until);

-- Access tokens of a family that may still live: they end with it.
CREATE TABLE granted_token (
    jti TEXT PRIMARY KEY,
    family TEXT NOT NULL REFERENCES token_family (id),
    until BIGINT NOT NULL
);
CREATE INDEX granted_token_family ON granted_token (family);
