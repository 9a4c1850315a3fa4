-- Clients of the authorization server: those that are registered while servers run, and whom they hear of the end of sessions.

-- Whether a client has to hear when the session ends. Gates hear of it by the feed.
ALTER TABLE session_client ADD COLUMN hears BIGINT NOT NULL DEFAULT 1;

-- That a session has ended, for a client that was given something of it (OpenID Connect Back-Channel Logout). A row is written
-- with the end of the session, and is there until the client has taken it or nobody tries any more.
CREATE TABLE logout_notice (
    session TEXT NOT NULL,
    client TEXT NOT NULL,
    -- Whose session it was. No references: the end is told though the person is gone.
    tenant TEXT NOT NULL,
    person TEXT NOT NULL,
    ended_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    -- Not before this time.
    due_at BIGINT NOT NULL,
    PRIMARY KEY (session, client)
);
CREATE INDEX logout_notice_client ON logout_notice (client, due_at);

-- How telling each client goes. Acknowledgments, not state: no audit entry.
CREATE TABLE logout_receiver (
    client TEXT PRIMARY KEY,
    delivered BIGINT NOT NULL,
    -- What nobody tries to tell it any more.
    given_up BIGINT NOT NULL,
    -- Since when, how often in a row and how the last attempts failed.
    failing_since BIGINT,
    failures BIGINT NOT NULL,
    failure TEXT
);

-- Clients that were registered while servers run: by the operator, or by themselves (RFC 7591). One that was removed stays, so that
-- its name is never another's.
CREATE TABLE client (
    id TEXT PRIMARY KEY,
    -- The registration as tegata.toml would have it, as JSON.
    registration TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'removed')),
    -- The initial access token by which it registered itself; none where the operator did it.
    initial_token TEXT,
    -- The hash of its registration access token (RFC 7592).
    access_hash BYTEA,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    -- The entry of the audit log that changed it last, by which servers know that something has changed.
    version BIGINT NOT NULL
);
CREATE INDEX client_version ON client (version);

-- Initial access tokens (RFC 7591 section 3): what whoever holds one may register. Hashes only.
CREATE TABLE initial_token (
    id TEXT PRIMARY KEY,
    token_hash BYTEA NOT NULL UNIQUE,
    -- The products and the scope of what is registered by it, as JSON and as words with spaces between.
    audiences TEXT NOT NULL,
    scope TEXT NOT NULL,
    uses BIGINT NOT NULL,
    uses_left BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- What a client that is removed takes along.
CREATE INDEX token_family_client ON token_family (client);
CREATE INDEX authorization_code_client ON authorization_code (client);
