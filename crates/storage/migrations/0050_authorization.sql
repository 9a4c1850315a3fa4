-- Tegata as an OpenID provider: requests to authorize, codes, and what came of them.

-- Requests that were pushed (RFC 9126), or wait until somebody has signed in. Each is taken once, by the hash of its name.
CREATE TABLE authorization_request (
    name_hash BYTEA PRIMARY KEY,
    -- Who asks.
    client TEXT NOT NULL,
    -- The device on which it waits; none as long as nobody has come with it.
    device TEXT REFERENCES device (id),
    parameters TEXT NOT NULL,
    -- When somebody first came with it: who has to sign in anew has signed in since.
    begun_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX authorization_request_client ON authorization_request (client);
CREATE INDEX authorization_request_device ON authorization_request (device);
CREATE INDEX authorization_request_expiry ON authorization_request (expires_at);

-- Authorization codes, by their hashes. One that was used stays for a while: who shows it once more ends what came of it.
CREATE TABLE authorization_code (
    code_hash BYTEA PRIMARY KEY,
    client TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    -- base64url of SHA-256 of the verifier (RFC 7636).
    challenge TEXT NOT NULL,
    -- The device that asked, and the certificate that it showed.
    device TEXT NOT NULL REFERENCES device (id),
    thumbprint BYTEA NOT NULL,
    -- The session and the subject of a person; none where the device is let in for itself.
    session TEXT,
    subject TEXT,
    auth_time BIGINT,
    amr TEXT NOT NULL,
    audience TEXT NOT NULL,
    scope TEXT,
    nonce TEXT,
    state TEXT NOT NULL CHECK (state IN ('open', 'used')),
    -- The family of refresh tokens that came of it.
    family TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX authorization_code_device ON authorization_code (device);
CREATE INDEX authorization_code_expiry ON authorization_code (expires_at);

-- Who refreshes a family, where it is not the device itself, and the session that it ends with. No references: a server of the
-- previous version deletes sessions without looking here, and a family without its session refreshes nothing.
ALTER TABLE token_family ADD COLUMN client TEXT;
ALTER TABLE token_family ADD COLUMN session TEXT;
CREATE INDEX token_family_session ON token_family (session);

-- The clients that were given something of a session.
CREATE TABLE session_client (
    session TEXT NOT NULL,
    client TEXT NOT NULL,
    PRIMARY KEY (session, client)
);
