-- Why somebody of the vendor's support acts: said once for a call, and good until they say otherwise or the session ends.
ALTER TABLE session ADD COLUMN reason TEXT;
ALTER TABLE session ADD COLUMN ticket TEXT;

-- Which person made an invitation, where one did: nobody decides on what came by their own.
ALTER TABLE invitation ADD COLUMN invited_by TEXT;

-- What a person did to a device, and who confirmed it and when: what a sheet of an incident says, for as long as it is asked for.
CREATE TABLE device_change (
    event BIGINT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    device TEXT NOT NULL REFERENCES device (id),
    action TEXT NOT NULL,
    -- Who may be of another tenant: the vendor's.
    person TEXT NOT NULL,
    reason TEXT,
    ticket TEXT,
    at BIGINT NOT NULL,
    -- JSON: each surface, and the milliseconds until it refused; nothing until the waiting is over.
    confirmed TEXT
);
CREATE INDEX device_change_device ON device_change (device, event);

-- Answers of the API that are given again to whoever asks again by the same key.
CREATE TABLE kept_answer (
    person TEXT NOT NULL REFERENCES person (id),
    idempotency_key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    answer TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (person, idempotency_key)
);
