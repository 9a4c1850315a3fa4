-- Transfers of business: sites that change tenants at a set minute, who approved of it, and what became of each device and person.

-- When a site was handed over: what was there before stays with its tenant, and nothing new begins there.
ALTER TABLE site ADD COLUMN closed_at BIGINT;

CREATE TABLE transfer (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL REFERENCES tenant (id),
    -- None where the company stays and is called otherwise.
    target TEXT REFERENCES tenant (id),
    state TEXT NOT NULL CHECK (state IN ('draft', 'approved', 'running', 'done', 'aborted', 'lapsed')),
    -- When it begins, and when it is too late to begin.
    due_at BIGINT NOT NULL,
    latest_at BIGINT NOT NULL,
    -- The plan as JSON: what is approved is the hash of this text.
    plan TEXT NOT NULL,
    -- The person who asked for it, where one did: they do not approve of it.
    requested_by TEXT,
    note TEXT NOT NULL,
    -- The transfer that this one takes back.
    reverses TEXT REFERENCES transfer (id),
    -- Why it waits, though its minute has come.
    held TEXT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    begun_at BIGINT,
    ended_at BIGINT
);
CREATE INDEX transfer_due ON transfer (due_at) WHERE state IN ('draft', 'approved', 'running');

-- The sites that move. In a table, so that no site is part of two plans.
CREATE TABLE transfer_site (
    transfer TEXT NOT NULL REFERENCES transfer (id),
    site TEXT NOT NULL REFERENCES site (id),
    -- What it is in its new tenant; the row of the site comes with the minute.
    becomes TEXT NOT NULL,
    -- gone: it was no longer there when the minute came.
    state TEXT NOT NULL CHECK (state IN ('waiting', 'open', 'done', 'gone')),
    PRIMARY KEY (transfer, site)
);
CREATE INDEX transfer_site_site ON transfer_site (site);

-- Who approved of which plan.
CREATE TABLE transfer_approval (
    transfer TEXT NOT NULL REFERENCES transfer (id),
    side TEXT NOT NULL CHECK (side IN ('source', 'target', 'support')),
    person TEXT NOT NULL,
    plan_hash BYTEA NOT NULL,
    reason TEXT,
    ticket TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (transfer, side)
);

-- For whom devices at these sites were when it began: people move before their devices, and are bound to them again.
CREATE TABLE transfer_binding (
    transfer TEXT NOT NULL REFERENCES transfer (id),
    device TEXT NOT NULL,
    person TEXT NOT NULL,
    PRIMARY KEY (transfer, device, person)
);

-- What became of each: written with the act itself, so that whoever goes on after a crash does nothing twice.
CREATE TABLE transfer_item (
    transfer TEXT NOT NULL REFERENCES transfer (id),
    kind TEXT NOT NULL CHECK (kind IN ('device', 'person')),
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    -- Of a device that moved: the device it is now, and the invitation that its old certificate stands for until then.
    successor TEXT,
    invitation TEXT,
    renew_until BIGINT,
    at BIGINT NOT NULL,
    PRIMARY KEY (transfer, kind, subject)
);
CREATE INDEX transfer_item_successor ON transfer_item (successor) WHERE successor IS NOT NULL;
CREATE INDEX transfer_item_subject ON transfer_item (subject) WHERE renew_until IS NOT NULL;
