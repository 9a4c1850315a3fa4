-- Who has changed the plan of a transfer: like whoever asked for it, they do not approve of it. A JSON list of identifiers.
ALTER TABLE transfer ADD COLUMN changed_by TEXT NOT NULL DEFAULT '[]';

-- What the two tenants were called when it was planned: neither reads the other's row.
ALTER TABLE transfer ADD COLUMN source_called TEXT;
ALTER TABLE transfer ADD COLUMN target_called TEXT;

-- When the time was over in which an old certificate brings a new one; what nobody had fetched by then was ended.
ALTER TABLE transfer_item ADD COLUMN closed_at BIGINT;
CREATE INDEX transfer_item_open ON transfer_item (renew_until) WHERE renew_until IS NOT NULL AND closed_at IS NULL;

-- What a server runs. Versions before this one do not say it.
ALTER TABLE server ADD COLUMN version TEXT;
