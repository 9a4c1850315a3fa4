-- People who sign in at their tenant's own OpenID provider.

-- How a tenant's people sign in: with accounts here (local), at the provider (provider), or either (both). Accounts for
-- emergencies are always local.
ALTER TABLE tenant ADD COLUMN sign_in TEXT NOT NULL DEFAULT 'both' CHECK (sign_in IN ('local', 'both', 'provider'));
-- Whether whoever the provider knows and nobody has linked gets an account by signing in.
ALTER TABLE tenant ADD COLUMN creates_people TEXT NOT NULL DEFAULT 'off' CHECK (creates_people IN ('on', 'off'));

-- Who a person is at a provider. Linked by the tenant's say-so alone, never by a mail address.
CREATE TABLE person_link (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    issuer TEXT NOT NULL,
    -- What the provider calls the person for ever.
    subject TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES person (id),
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, issuer, subject)
);
CREATE UNIQUE INDEX person_link_person ON person_link (person, issuer);

-- Sessions that were begun at a provider: by which, what it calls person (hashed) and session, the sealed ID token for the sign-out,
-- and when the person proved themselves there, where that was before the session.
ALTER TABLE session ADD COLUMN provider_issuer TEXT;
ALTER TABLE session ADD COLUMN provider_subject TEXT;
ALTER TABLE session ADD COLUMN provider_session TEXT;
ALTER TABLE session ADD COLUMN id_token BYTEA;
ALTER TABLE session ADD COLUMN authenticated_at BIGINT;
CREATE INDEX session_provider ON session (provider_issuer, provider_subject);
