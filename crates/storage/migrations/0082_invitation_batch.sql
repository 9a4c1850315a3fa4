-- Invitations that a person of the tenant made together: how far they are is asked by the batch.
CREATE TABLE invitation_batch (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX invitation_batch_tenant ON invitation_batch (tenant, created_at);

ALTER TABLE invitation ADD COLUMN batch TEXT REFERENCES invitation_batch (id);
CREATE INDEX invitation_of_batch ON invitation (batch) WHERE batch IS NOT NULL;

-- A certificate that two machines seem to use. One is open for a device at a time; dismissed ones are kept, so that the same two
-- machines raise none again.
CREATE TABLE copy_alarm (
    device TEXT NOT NULL REFERENCES device (id),
    -- Addresses, and what the machines say they are, in one order.
    one TEXT NOT NULL,
    other TEXT NOT NULL,
    raised_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    dismissed_at BIGINT,
    reason TEXT,
    PRIMARY KEY (device, one, other)
);
CREATE UNIQUE INDEX copy_alarm_open ON copy_alarm (device) WHERE dismissed_at IS NULL;
