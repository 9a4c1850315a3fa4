-- What a tenant's provider has said to be over, for as long as a sign-in there may take: one that was begun before comes to nothing.
CREATE TABLE provider_logout (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    issuer TEXT NOT NULL,
    -- Whose, hashed as sessions have it, and which session of the provider; one of the two may be empty.
    subject TEXT NOT NULL,
    provider_session TEXT NOT NULL,
    said_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, issuer, subject, provider_session)
);
CREATE INDEX provider_logout_expiry ON provider_logout (expires_at);

-- Whether a session's provider did not say when the person had proved themselves there. A server of the previous version takes
-- such a session for one that was proved when it began, as it always did.
ALTER TABLE session ADD COLUMN undated BIGINT NOT NULL DEFAULT 0;
