-- Passkeys: public keys that people prove who they are with.
CREATE TABLE passkey (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person (id),
    -- What its authenticator calls it, which no other may have.
    credential BYTEA NOT NULL UNIQUE,
    -- A COSE key.
    public_key BYTEA NOT NULL,
    -- How often it had signed when it was last used; 0 for one that does not count.
    counter BIGINT NOT NULL,
    -- What its person calls it.
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX passkey_person ON passkey (person);

-- Challenges that a passkey has answered, for as long as they would otherwise be answered again: hashes only. Only whoever has
-- a passkey makes a row.
CREATE TABLE used_challenge (
    hash BYTEA PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
