-- An index of names, to find devices by what a caller says. `core::search::grams` says what stands in it.

-- A name as it is compared, once for each tenant and kind: 0 the tenant's, 1 a site's, 2 labels of devices, 3 people's.
CREATE TABLE search_name (
    id BIGINT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    kind BIGINT NOT NULL CHECK (kind BETWEEN 0 AND 3),
    letters TEXT NOT NULL,
    UNIQUE (tenant, kind, letters)
);

-- Which names have a pair of letters. The tenant by its number: this table is the largest, and numbers are short.
CREATE TABLE search_gram (
    gram BIGINT NOT NULL,
    tenant BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    name BIGINT NOT NULL,
    PRIMARY KEY (gram, kind, tenant, name)
);

-- The last number that a tenant or a name was given. Here because whoever writes sees all of this row, and of other tables
-- perhaps one tenant's alone.
ALTER TABLE head ADD COLUMN search_last BIGINT NOT NULL DEFAULT 0;

-- The name in the index; none where it is not there yet: whoever searches looks at those rows one by one.
ALTER TABLE tenant ADD COLUMN search_name BIGINT;
ALTER TABLE tenant ADD COLUMN search_number BIGINT;
ALTER TABLE site ADD COLUMN search_name BIGINT;
ALTER TABLE person ADD COLUMN search_name BIGINT;
ALTER TABLE device ADD COLUMN search_name BIGINT;
-- The second half of a device's number, which people also say alone.
ALTER TABLE device ADD COLUMN number_tail TEXT;

CREATE UNIQUE INDEX tenant_search_number ON tenant (search_number);
CREATE INDEX site_search_name ON site (search_name);
CREATE INDEX person_search_name ON person (search_name);
CREATE INDEX device_search_name ON device (search_name, site);
CREATE INDEX device_number_tail ON device (number_tail);
-- Those that came last, where a search fits very many.
CREATE INDEX device_last_seen ON device ((COALESCE(seen_at, 0)));
CREATE INDEX device_person_person ON device_person (person);
CREATE INDEX person_device_device ON person_device (device);

-- Who asked whether what somebody says is what is on file, within the last hour. The audit log has all of them.
CREATE TABLE file_check (
    actor TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES person (id),
    at BIGINT NOT NULL
);
CREATE INDEX file_check_at ON file_check (at);
