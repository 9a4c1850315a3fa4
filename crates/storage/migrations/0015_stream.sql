-- Streams of security events: whether they flow, what is still to be said about themselves, and what was acknowledged
-- out of turn.
ALTER TABLE receiver ADD COLUMN status TEXT NOT NULL DEFAULT 'enabled';
ALTER TABLE receiver ADD COLUMN status_reason TEXT;
-- 1: the operator has stopped it, and only the operator lets it go on.
ALTER TABLE receiver ADD COLUMN held BIGINT NOT NULL DEFAULT 0;
-- The last entry of the audit log that was looked at for issued certificates; none where they are not wanted.
ALTER TABLE receiver ADD COLUMN issued BIGINT;
-- How many events of the feed it will never hear of, as it was paused for too many.
ALTER TABLE receiver ADD COLUMN dropped BIGINT NOT NULL DEFAULT 0;
-- When it last asked, where it does the asking.
ALTER TABLE receiver ADD COLUMN heard_at BIGINT;
-- When it last asked for a verification.
ALTER TABLE receiver ADD COLUMN verified_at BIGINT;
-- The last notice's number.
ALTER TABLE receiver ADD COLUMN notices BIGINT NOT NULL DEFAULT 0;

-- What is told of the stream itself, before anything else and whatever its status. Gone once it was taken.
CREATE TABLE receiver_notice (
    receiver TEXT NOT NULL REFERENCES receiver (id),
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (receiver, number)
);
UPDATE receiver SET notices = 1 WHERE verification IS NOT NULL;
INSERT INTO receiver_notice (receiver, number, kind, payload)
    SELECT id, 1, 'verification', '{}' FROM receiver WHERE verification IS NOT NULL;
ALTER TABLE receiver DROP COLUMN verification;

-- Acknowledged while something before it was not. Gone once the receiver's place is past it.
CREATE TABLE receiver_ack (
    receiver TEXT NOT NULL REFERENCES receiver (id),
    line TEXT NOT NULL CHECK (line IN ('feed', 'issued')),
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (receiver, line, number, kind)
);

-- Whose token was taken back; none for a registered client's, and for what was done again after a restore.
ALTER TABLE denied_token ADD COLUMN device TEXT;
