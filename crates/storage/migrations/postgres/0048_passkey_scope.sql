-- Row-level security for passkeys, as 0045 has it for whatever else belongs to a person.

CREATE POLICY tenant_scope ON passkey USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM person o WHERE o.id = passkey.person AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE passkey ENABLE ROW LEVEL SECURITY;
ALTER TABLE passkey FORCE ROW LEVEL SECURITY;
