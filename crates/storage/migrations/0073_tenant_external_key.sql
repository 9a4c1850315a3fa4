-- What the vendor's register of customers calls a tenant.
ALTER TABLE tenant ADD COLUMN external_key TEXT;
CREATE UNIQUE INDEX tenant_external_key ON tenant (external_key);
