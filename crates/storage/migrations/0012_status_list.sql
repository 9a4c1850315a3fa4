-- Token status lists.

-- The place that the next certificate gets, and what indices are made from; none until a server has made it.
ALTER TABLE head ADD COLUMN status_next BIGINT NOT NULL DEFAULT 0;
ALTER TABLE head ADD COLUMN status_secret BYTEA;

-- Which place in the lists is the certificate's. It is given another when its holder is signed out.
ALTER TABLE certificate ADD COLUMN status_place BIGINT;
UPDATE certificate SET status_place = n.place FROM
    (SELECT issuer, serial, ROW_NUMBER() OVER (ORDER BY reserved_at, issuer, serial) - 1 AS place FROM certificate) AS n
    WHERE certificate.issuer = n.issuer AND certificate.serial = n.serial;
UPDATE head SET status_next = (SELECT COUNT(*) FROM certificate);
-- No place is anybody else's.
CREATE UNIQUE INDEX certificate_status ON certificate (status_place);

-- Places of tokens that were denied by their age, and the event of the feed that denied them.
CREATE TABLE burned_status (
    place BIGINT PRIMARY KEY,
    seq BIGINT NOT NULL
);
CREATE INDEX burned_status_seq ON burned_status (seq);
