-- Browsers that are being made to choose their certificate again: for some seconds every server refuses the older one within
-- TLS. A row for each certificate of ours whose holder asked for it, gone after a minute.
CREATE TABLE reselection (
    thumbprint BYTEA PRIMARY KEY,
    successor BYTEA NOT NULL,
    -- The server that was asked, which knows already.
    server TEXT NOT NULL,
    at BIGINT NOT NULL
);
