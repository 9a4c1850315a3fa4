-- What an outside directory calls a person or a site: one within a tenant.
ALTER TABLE person ADD COLUMN external_key TEXT;
CREATE UNIQUE INDEX person_external_key ON person (tenant, external_key);
-- When the directory deleted them: they are disabled, and it does not see them any more until it adds them anew.
ALTER TABLE person ADD COLUMN left_directory_at BIGINT;
ALTER TABLE site ADD COLUMN external_key TEXT;
CREATE UNIQUE INDEX site_external_key ON site (tenant, external_key);

-- Tokens by which a tenant's directory says who works there (SCIM): hashes only.
CREATE TABLE scim_token (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    token_hash BYTEA NOT NULL UNIQUE,
    -- What the operator calls it.
    name TEXT NOT NULL,
    -- The roles that it may give, and whose people it may act on: words with spaces between.
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    -- Written once a minute at most.
    used_at BIGINT
);
CREATE INDEX scim_token_tenant ON scim_token (tenant);

-- Passwords that another product has hashed, until the person has set up an account here.
CREATE TABLE imported_password (
    person TEXT PRIMARY KEY REFERENCES person (id),
    -- As the other product wrote it; once somebody has signed in with it, Argon2id of the same password, as a PHC string.
    hash TEXT NOT NULL,
    imported_at BIGINT NOT NULL,
    proved_at BIGINT
);

-- How often a tenant looks at who works there. No row: never.
CREATE TABLE people_policy (
    tenant TEXT PRIMARY KEY REFERENCES tenant (id),
    -- Days from the opening of one review to the next, and days to answer.
    review_days BIGINT,
    answer_days BIGINT NOT NULL,
    -- Days without a sign-in after which an account is suspended.
    unused_days BIGINT,
    changed_at BIGINT NOT NULL
);

-- Whether everybody still works here: of one site, or of those of the tenant who work at none.
CREATE TABLE person_review (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    site TEXT REFERENCES site (id),
    opened_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    closed_at BIGINT
);
CREATE INDEX person_review_tenant ON person_review (tenant, opened_at);

-- What was answered. Who is still to be answered for is who works there and has no row.
CREATE TABLE person_review_answer (
    review TEXT NOT NULL REFERENCES person_review (id),
    person TEXT NOT NULL REFERENCES person (id),
    answer TEXT NOT NULL CHECK (answer IN ('confirmed', 'removed')),
    answered_by TEXT NOT NULL REFERENCES person (id),
    answered_at BIGINT NOT NULL,
    PRIMARY KEY (review, person)
);
