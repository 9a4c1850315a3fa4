-- SCEP (RFC 8894): registrars, and what clients are in the middle of.

-- A registrar opens requests to one CA and signs the answers. Its key is sealed with the secret of the keys folder: all
-- servers of a ledger share it, and whoever reads the ledger alone learns nothing.
CREATE TABLE registrar (
    issuer TEXT NOT NULL REFERENCES issuer (id),
    serial BYTEA NOT NULL,
    tbs BYTEA NOT NULL,
    der BYTEA,
    sealed_key TEXT NOT NULL,
    not_after BIGINT NOT NULL,
    reserved_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, serial)
);

-- One transaction of a client is for one key: a message that was lost may come again, another may not take its place.
CREATE TABLE scep_transaction (
    -- SHA-256 of the client's identifier.
    id BYTEA NOT NULL,
    -- The invitation or the device whose right it is: nobody disturbs another's.
    holder TEXT NOT NULL,
    -- The SubjectPublicKeyInfo that was asked for.
    public_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (holder, id)
);
CREATE INDEX scep_transaction_id ON scep_transaction (id);
CREATE INDEX scep_transaction_age ON scep_transaction (created_at);
