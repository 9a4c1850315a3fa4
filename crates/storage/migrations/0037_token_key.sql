-- What servers without a common folder share.

-- Keys that sign tokens, feed, events and status lists. A server signs with the one that began last, and publishes all.
CREATE TABLE token_key (
    -- RFC 7638.
    kid TEXT PRIMARY KEY,
    -- The public part, a JWK.
    jwk TEXT NOT NULL,
    -- The private part, sealed with the secret of the keys folder, PEM. Nothing once it was withdrawn.
    sealed_key TEXT,
    published_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    -- It was in other hands: it is never taken in again.
    withdrawn_at BIGINT
);

-- The last line of each further revocation log that the ledger contains: a JSON object, base 16 by the log's name. It is a
-- column here because whoever holds this row is the only writer. The first log stays in `revocation_log` and `log_hash`.
ALTER TABLE head ADD COLUMN other_logs TEXT NOT NULL DEFAULT '{}';
