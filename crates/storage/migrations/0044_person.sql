-- People who sign in with an account of the installation's own.
CREATE TABLE person (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    -- As it is shown and what it is compared by. Given once and never changed.
    login TEXT NOT NULL,
    login_key TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Words with spaces between, at least one.
    roles TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (tenant, login_key)
);

-- Where they work.
CREATE TABLE person_site (
    person TEXT NOT NULL REFERENCES person (id),
    site TEXT NOT NULL REFERENCES site (id),
    PRIMARY KEY (person, site)
);
CREATE INDEX person_site_site ON person_site (site);

-- What they prove who they are with, once they have chosen it.
CREATE TABLE credential (
    person TEXT PRIMARY KEY REFERENCES person (id),
    -- Argon2id, as a PHC string.
    password TEXT NOT NULL,
    -- The secret of TOTP (RFC 6238), sealed, and the last step whose code was taken: a code works once.
    totp BYTEA NOT NULL,
    totp_step BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Codes that work once in the place of TOTP: hashes only.
CREATE TABLE person_code (
    person TEXT NOT NULL REFERENCES person (id),
    code_hash BYTEA NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('recovery', 'emergency')),
    -- None: until it is used or replaced.
    expires_at BIGINT,
    PRIMARY KEY (person, code_hash)
);

-- The link by which a person chooses a password and a second factor: one at a time, for once.
CREATE TABLE setup_link (
    person TEXT PRIMARY KEY REFERENCES person (id),
    code_hash BYTEA NOT NULL UNIQUE,
    expires_at BIGINT NOT NULL
);

-- Sign-ins that last. A row is there as long as its session is.
CREATE TABLE session (
    id TEXT PRIMARY KEY,
    token_hash BYTEA NOT NULL UNIQUE,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    person TEXT NOT NULL REFERENCES person (id),
    -- The device it belongs to, whatever certificate the device shows by now.
    device TEXT NOT NULL REFERENCES device (id),
    -- By what it was begun, in the words of RFC 8176.
    amr TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    -- The end if nobody uses it, and the end in any case.
    idle_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX session_person ON session (person);
CREATE INDEX session_device ON session (device);
CREATE INDEX session_idle ON session (idle_until);

-- On which devices a person has signed in before: strangers' failures do not count there.
CREATE TABLE person_device (
    person TEXT NOT NULL REFERENCES person (id),
    device TEXT NOT NULL REFERENCES device (id),
    signed_in_at BIGINT NOT NULL,
    PRIMARY KEY (person, device)
);

-- People for whom a device is; where there are none, it is for everybody at its site.
CREATE TABLE device_person (
    device TEXT NOT NULL REFERENCES device (id),
    person TEXT NOT NULL REFERENCES person (id),
    PRIMARY KEY (device, person)
);
