-- What is denied together: all devices of a tenant, and tokens by their age.

ALTER TABLE tenant ADD COLUMN state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended'));
-- When its state last changed.
ALTER TABLE tenant ADD COLUMN changed_at BIGINT;

-- Tokens issued before a moment, of a device or of all devices of a tenant. No reference: after a restore the ledger may
-- not know the device, and gates may.
CREATE TABLE denied_tokens (
    kind TEXT NOT NULL CHECK (kind IN ('device', 'tenant')),
    holder TEXT NOT NULL,
    issued_before BIGINT NOT NULL,
    -- When the last of them has expired.
    until BIGINT NOT NULL,
    UNIQUE (kind, holder)
);
