-- One text for SQLite and PostgreSQL: TEXT, BIGINT and BYTEA only. Times are milliseconds since 1970 (UTC).

-- The head of both chains. Every write transaction begins by updating it, so writers queue up here and
-- numbers have no gaps.
CREATE TABLE head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    audit_seq BIGINT NOT NULL,
    audit_hash BYTEA NOT NULL,
    feed_seq BIGINT NOT NULL
);

CREATE TABLE tenant (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE site (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE issuer (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('root', 'issuing')),
    certificate BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE device (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    site TEXT NOT NULL REFERENCES site (id),
    role TEXT NOT NULL CHECK (role IN ('device', 'gate')),
    label TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'revoked', 'retired')),
    reason TEXT,
    -- The newest generation ever reserved; numbers are never used twice.
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX device_site ON device (site);
CREATE INDEX device_not_active ON device (state) WHERE state <> 'active';

CREATE TABLE invitation (
    id TEXT PRIMARY KEY,
    code_hash BYTEA NOT NULL UNIQUE,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    site TEXT NOT NULL REFERENCES site (id),
    role TEXT NOT NULL CHECK (role IN ('device', 'gate')),
    label TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'claimed', 'withdrawn')),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Set when claimed: by which key, for which device.
    key_hash BYTEA,
    device TEXT REFERENCES device (id)
);

CREATE TABLE certificate (
    issuer TEXT NOT NULL REFERENCES issuer (id),
    serial BYTEA NOT NULL,
    device TEXT NOT NULL REFERENCES device (id),
    generation BIGINT NOT NULL,
    state TEXT NOT NULL CHECK
        (state IN ('reserved', 'issued', 'delivered', 'in_use', 'retiring', 'retired', 'revoked')),
    key_hash BYTEA NOT NULL,
    -- The bytes the key was asked to sign, stored before it signed.
    tbs BYTEA NOT NULL,
    der BYTEA,
    thumbprint BYTEA UNIQUE,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    reserved_at BIGINT NOT NULL,
    issued_at BIGINT,
    delivered_at BIGINT,
    used_at BIGINT,
    retire_at BIGINT,
    ended_at BIGINT,
    reason TEXT,
    UNIQUE (issuer, serial),
    UNIQUE (device, generation)
);
CREATE INDEX certificate_key ON certificate (key_hash);
CREATE INDEX certificate_ended ON certificate (issuer, not_after) WHERE state IN ('retired', 'revoked');
CREATE INDEX certificate_reserved ON certificate (reserved_at) WHERE state = 'reserved';
CREATE INDEX certificate_retiring ON certificate (retire_at) WHERE state = 'retiring';
CREATE INDEX certificate_due ON certificate (not_after);

CREATE TABLE denied_token (
    jti TEXT PRIMARY KEY,
    until BIGINT NOT NULL
);

CREATE TABLE feed (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    change TEXT NOT NULL
);

-- What each surface has applied: the proof that a stopped device is stopped there.
CREATE TABLE receipt (
    surface TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    applied_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

CREATE TABLE crl (
    issuer TEXT PRIMARY KEY REFERENCES issuer (id),
    number BIGINT NOT NULL,
    -- The last event of the feed that the list contains.
    seq BIGINT NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    der BYTEA NOT NULL
);

-- Each entry is hashed together with its predecessor's hash: editing one breaks all that follow.
CREATE TABLE audit (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    device TEXT,
    entry TEXT NOT NULL,
    hash BYTEA NOT NULL
);
CREATE INDEX audit_device ON audit (device, seq);
