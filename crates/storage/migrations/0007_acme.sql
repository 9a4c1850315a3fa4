-- ACME (RFC 8555): clients with a key of their own, and what they ask for.

CREATE TABLE acme_account (
    id TEXT PRIMARY KEY,
    -- RFC 7638 thumbprint of its key: one account a key.
    thumbprint TEXT NOT NULL UNIQUE,
    jwk TEXT NOT NULL,
    -- What it was bound to: one account an invitation. None for devices that show an invitation with each order.
    invitation TEXT UNIQUE REFERENCES invitation (id),
    state TEXT NOT NULL CHECK (state IN ('valid', 'deactivated')),
    created_at BIGINT NOT NULL
);

-- An order has one identifier, hence one authorization with one challenge: all three are this row.
CREATE TABLE acme_order (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES acme_account (id),
    invitation TEXT NOT NULL REFERENCES invitation (id),
    kind TEXT NOT NULL CHECK (kind IN ('dns', 'permanent-identifier')),
    -- What the client called itself; sealed where it is a secret.
    identifier BYTEA NOT NULL,
    token TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'valid', 'invalid')),
    authorization_state TEXT NOT NULL CHECK (authorization_state IN ('pending', 'valid', 'invalid', 'deactivated')),
    -- The key that an attestation spoke of.
    attested_key BYTEA,
    -- The key it is being finalized with: no other one gets a certificate for it.
    key_hash BYTEA,
    -- The certificate it is to replace (RFC 9773), and the one it became, by thumbprint.
    replaces BYTEA,
    certificate BYTEA,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX acme_order_account ON acme_order (account, created_at);
CREATE INDEX acme_order_replaces ON acme_order (replaces);
CREATE INDEX acme_order_unfinished ON acme_order (expires_at) WHERE state <> 'valid';

-- What bindings are derived from, sealed with the secret of the keys folder: all servers of a ledger share it, and
-- whoever reads the ledger alone learns nothing.
CREATE TABLE acme_secret (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    sealed TEXT NOT NULL
);
