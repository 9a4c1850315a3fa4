-- Which products a tenant's devices may ask tokens for, where a product asks for a licence: at all of its sites, or at
-- one.
CREATE TABLE licence (
    product TEXT NOT NULL,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    -- None: all sites of the tenant, also those to come.
    site TEXT REFERENCES site (id),
    granted_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX licence_tenant ON licence (tenant, product) WHERE site IS NULL;
CREATE UNIQUE INDEX licence_site ON licence (site, product) WHERE site IS NOT NULL;
