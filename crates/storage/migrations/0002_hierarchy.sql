-- Hierarchy, shards, lineage, blocked keys, and what a restore must not forget.

-- Whether a tenant's devices get certificates from the shared issuers or from its own.
ALTER TABLE tenant ADD COLUMN issuing TEXT NOT NULL DEFAULT 'pool' CHECK (issuing IN ('pool', 'silo'));

-- active: issues. resting: its certificates live on, it issues none. retired: none of its certificates is accepted.
-- revoked: so is it, and the root says so.
ALTER TABLE issuer ADD COLUMN state TEXT NOT NULL DEFAULT 'active'
    CHECK (state IN ('active', 'resting', 'retired', 'revoked'));
-- foreign: another authority's CA whose devices were taken over; its key was never here.
ALTER TABLE issuer ADD COLUMN custody TEXT NOT NULL DEFAULT 'own' CHECK (custody IN ('own', 'foreign'));
ALTER TABLE issuer ADD COLUMN parent TEXT REFERENCES issuer (id);
-- The one tenant it issues for; none for a shared one.
ALTER TABLE issuer ADD COLUMN tenant TEXT REFERENCES tenant (id);
-- How many CRLs its certificates are spread over. Never changes: the URLs are in the certificates.
ALTER TABLE issuer ADD COLUMN shards BIGINT NOT NULL DEFAULT 1 CHECK (shards BETWEEN 1 AND 1024);
ALTER TABLE issuer ADD COLUMN reason TEXT;
ALTER TABLE issuer ADD COLUMN ended_at BIGINT;
UPDATE issuer SET parent = (SELECT MIN(r.id) FROM issuer r WHERE r.kind = 'root') WHERE kind = 'issuing';

ALTER TABLE certificate ADD COLUMN shard BIGINT NOT NULL DEFAULT 0;
-- The generation it was renewed from: lineage within the device.
ALTER TABLE certificate ADD COLUMN parent BIGINT;
DROP INDEX certificate_ended;
CREATE INDEX certificate_ended ON certificate (issuer, shard, not_after) WHERE state IN ('retired', 'revoked');

-- What a CRL is to be made of. The revision moves with every change of its entries, so that a list is made anew
-- when, and only when, it says something new.
CREATE TABLE shard (
    issuer TEXT NOT NULL REFERENCES issuer (id),
    number BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    UNIQUE (issuer, number)
);
INSERT INTO shard (issuer, number, revision) SELECT id, 0, 1 FROM issuer;

CREATE TABLE shard_crl (
    issuer TEXT NOT NULL,
    shard BIGINT NOT NULL,
    number BIGINT NOT NULL,
    -- The revision of the shard that the list contains.
    revision BIGINT NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    der BYTEA NOT NULL,
    UNIQUE (issuer, shard)
);
INSERT INTO shard_crl (issuer, shard, number, revision, this_update, next_update, der)
    SELECT issuer, 0, number, 0, this_update, next_update, der FROM crl;
DROP TABLE crl;
ALTER TABLE shard_crl RENAME TO crl;

-- Keys that are in other hands: no certificate for them, ever.
CREATE TABLE blocked_key (
    key_hash BYTEA PRIMARY KEY,
    note TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- Certificates of OCSP responders: recorded, as all others, before the key signs.
CREATE TABLE responder (
    issuer TEXT NOT NULL REFERENCES issuer (id),
    serial BYTEA NOT NULL,
    tbs BYTEA NOT NULL,
    der BYTEA,
    not_after BIGINT NOT NULL,
    reserved_at BIGINT NOT NULL,
    UNIQUE (issuer, serial)
);

-- Certificates that were issued and revoked after the backup from which this ledger was restored. Nothing but the
-- revocation is known of them, and it stays on the CRL.
CREATE TABLE lost_certificate (
    issuer TEXT NOT NULL,
    serial BYTEA NOT NULL,
    shard BIGINT NOT NULL,
    thumbprint BYTEA,
    not_after BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    reason TEXT,
    UNIQUE (issuer, serial)
);

-- Which revocation log belongs to this ledger; none until one was configured.
ALTER TABLE head ADD COLUMN revocation_log TEXT;
