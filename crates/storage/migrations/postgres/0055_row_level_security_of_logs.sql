-- Row-level security for what 0041 and 0045 left: the audit log, the feed, and tables that name a tenant by way of another row.
--
-- The text of a policy is made here, once. Later tables with rows of tenants call tenant_wall as well.

CREATE FUNCTION tenant_wall(walled REGCLASS, belongs TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE POLICY tenant_scope ON %s USING ((SELECT scope_tenant()) IS NULL OR (%s))', walled, belongs);
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', walled);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', walled);
END $$;

SELECT tenant_wall('granted_token', 'EXISTS (SELECT 1 FROM token_family f JOIN device o ON o.id = f.device
    WHERE f.id = granted_token.family AND o.tenant = (SELECT scope_tenant()))');
SELECT tenant_wall('denied_tokens', 'CASE WHEN kind = ''tenant'' THEN holder = (SELECT scope_tenant())
    ELSE EXISTS (SELECT 1 FROM device o WHERE o.id = holder AND o.tenant = (SELECT scope_tenant())) END');
SELECT tenant_wall('token_day',
    'EXISTS (SELECT 1 FROM device o WHERE o.id = token_day.holder AND o.tenant = (SELECT scope_tenant()))');
SELECT tenant_wall('acme_account',
    'EXISTS (SELECT 1 FROM invitation o WHERE o.id = acme_account.invitation AND o.tenant = (SELECT scope_tenant()))');
SELECT tenant_wall('acme_order',
    'EXISTS (SELECT 1 FROM invitation o WHERE o.id = acme_order.invitation AND o.tenant = (SELECT scope_tenant()))');

-- An entry of the audit log is the tenant's of its device, or the tenant's that it names; all others are the installation's. What
-- is done within a scope is written down whether it names the tenant or not, but never under another tenant's device.
SELECT tenant_wall('audit', 'CASE WHEN device IS NULL THEN entry::JSONB #>> ''{detail,tenant}'' = (SELECT scope_tenant())
    ELSE EXISTS (SELECT 1 FROM device o WHERE o.id = audit.device AND o.tenant = (SELECT scope_tenant())) END');
ALTER POLICY tenant_scope ON audit WITH CHECK ((SELECT scope_tenant()) IS NULL OR device IS NULL
    OR EXISTS (SELECT 1 FROM device o WHERE o.id = audit.device AND o.tenant = (SELECT scope_tenant())));

-- An event of the feed is about a device, a certificate, or a tenant. That a token was denied names none of them: it is the
-- installation's, and nobody reads it within a scope.
CREATE FUNCTION event_is_of(change JSONB, tenant TEXT) RETURNS BOOLEAN LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN change ? 'tenant' THEN change ->> 'tenant' = $2
        WHEN change ? 'device' THEN EXISTS (SELECT 1 FROM device o WHERE o.id = change ->> 'device' AND o.tenant = $2)
        WHEN change ? 'thumbprint' THEN EXISTS (SELECT 1 FROM certificate c JOIN device o ON o.id = c.device
            WHERE c.thumbprint = decode(translate(change ->> 'thumbprint', '-_', '+/') || '=', 'base64') AND o.tenant = $2)
        ELSE FALSE
    END
$$;

SELECT tenant_wall('feed', 'event_is_of(change::JSONB, (SELECT scope_tenant()))');
ALTER POLICY tenant_scope ON feed WITH CHECK ((SELECT scope_tenant()) IS NULL OR change::JSONB ->> 'change' = 'token_denied'
    OR event_is_of(change::JSONB, (SELECT scope_tenant())));
