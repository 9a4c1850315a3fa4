-- Whose log an entry stands in: the audit log itself has no column for it. Filled shortly after the entry, by one walk over the log.
-- What is routine for devices has no row here.
CREATE TABLE trail (
    seq BIGINT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    -- The device that the entry is about, if it is about one.
    device TEXT
);
CREATE INDEX trail_tenant ON trail (tenant, seq);
CREATE INDEX trail_device ON trail (device, seq) WHERE device IS NOT NULL;

-- Up to which entry the log was walked.
CREATE TABLE trail_end (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL
);
INSERT INTO trail_end (id, seq) VALUES (1, 0);

-- Stops of tenants, for who could enter on a day. Statements say the same condition by the same letters.
CREATE INDEX audit_tenant_moved ON audit (seq)
    WHERE entry LIKE '%"action":"tenant.suspended"%' OR entry LIKE '%"action":"tenant.resumed"%';

CREATE INDEX device_change_tenant ON device_change (tenant, event);

-- What the vendor's register of customers calls a site. `external_key` is what the tenant's own directory calls it. Where there is
-- no such directory, only the register can have written there.
ALTER TABLE site ADD COLUMN register_key TEXT;
CREATE UNIQUE INDEX site_register_key ON site (tenant, register_key);
UPDATE site SET register_key = external_key WHERE external_key IS NOT NULL
    AND EXISTS (SELECT 1 FROM tenant t WHERE t.id = site.tenant AND t.external_key IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM scim_token k WHERE k.tenant = site.tenant);

-- When the last check by the clock was begun: one that came to no report is not begun again at once.
CREATE TABLE check_attempt (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    at BIGINT NOT NULL
);

-- Answers of the API that are given again to a program that asks again by the same key, and acts for nobody but itself.
CREATE TABLE kept_client_answer (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    client TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    answer TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, client, idempotency_key)
);
