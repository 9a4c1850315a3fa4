-- The servers of the installation that are running, each from its start to its end. Who stands here has to confirm what is
-- stopped. Their receipts are rows of `receipt`, whose surface is `{name}:{server}`; those of the previous version have no
-- server, and go on beside them.
CREATE TABLE server (
    id TEXT PRIMARY KEY,
    -- For people: the host's name.
    name TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
