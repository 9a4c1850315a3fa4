-- How often something was refused, by code and hour since 1970: bounded by the codes and by how long hours are kept.
CREATE TABLE refusal_hour (
    hour BIGINT NOT NULL,
    code TEXT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (hour, code)
);

-- What the last check by the clock has found, as JSON. A check replaces the one before.
CREATE TABLE check_report (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    at BIGINT NOT NULL,
    report TEXT NOT NULL
);
