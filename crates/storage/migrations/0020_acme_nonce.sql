-- Nonces with which the holder of an ACME account has signed, so that no server takes one twice. Gone when a nonce of their
-- age is taken by nobody.
CREATE TABLE acme_nonce (
    nonce BYTEA PRIMARY KEY,
    issued_at BIGINT NOT NULL
);
CREATE INDEX acme_nonce_age ON acme_nonce (issued_at);
