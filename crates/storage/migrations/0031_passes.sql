-- Clock-driven work that one server of several does at a time: who may do it, and until when. A lease always ends.
CREATE TABLE pass_lease (
    name TEXT PRIMARY KEY,
    -- The server that has it, or had it last.
    holder TEXT NOT NULL,
    -- Moves with every new holder.
    token BIGINT NOT NULL,
    until BIGINT NOT NULL
);

-- What became of the last run of each pass, on each server. The rows go with their server.
CREATE TABLE pass_state (
    name TEXT NOT NULL,
    server TEXT NOT NULL,
    exclusive BIGINT NOT NULL CHECK (exclusive IN (0, 1)),
    -- In milliseconds: from one run to the next, what a run may take, and what the last one took.
    period BIGINT NOT NULL,
    time_limit BIGINT NOT NULL,
    duration BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    succeeded_at BIGINT,
    due_at BIGINT,
    outcome TEXT,
    error TEXT,
    -- What it did, as a JSON object of numbers.
    counts TEXT NOT NULL,
    -- When the server was last heard of.
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (name, server)
);
