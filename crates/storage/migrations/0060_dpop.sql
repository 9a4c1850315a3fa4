-- The key that a code, or what comes of it, is bound to (RFC 9449): SHA-256 of its JWK, where a client proves itself by one. A
-- server of the previous version neither writes nor reads it: it knows no such clients.
ALTER TABLE authorization_code ADD COLUMN dpop_jkt BYTEA;
ALTER TABLE token_family ADD COLUMN dpop_jkt BYTEA;
