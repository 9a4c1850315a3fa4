-- Who is sent security events, and how far each has got in the feed. Acknowledgements, not state: no audit entry.
CREATE TABLE receiver (
    id TEXT PRIMARY KEY,
    -- The last event of the feed that it has taken, or that is none of its business.
    seq BIGINT NOT NULL,
    -- The one process that sends to it, for as long as it says so.
    sender TEXT,
    sender_until BIGINT NOT NULL,
    failing_since BIGINT,
    failures BIGINT NOT NULL,
    -- How the last attempt failed.
    failure TEXT,
    -- What it refused to take for good.
    rejections BIGINT NOT NULL,
    rejection TEXT,
    -- The state of a verification that is still to be sent; empty for one without.
    verification TEXT
);
