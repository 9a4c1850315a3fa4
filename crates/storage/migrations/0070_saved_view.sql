-- Views of the list of devices that a person keeps: what they call one, and how the list is narrowed and sorted in it.
CREATE TABLE saved_view (
    person TEXT NOT NULL REFERENCES person (id),
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (person, name)
);
