-- Row-level security: the wall behind the statements' own. PostgreSQL alone has it.
--
-- A transaction of a tenant's scope says whose it is: tegata.tenant, which lasts as long as the transaction. The policies then
-- show it that tenant's rows, and refuse to write others, whatever a statement has forgotten. Where nothing is set, everything
-- is shown: to the operator, to what is issued in groups for many tenants at once, to a server of the previous version, to
-- migrations. What decides is the scope, not the role, so the owner of the tables is bound as well; a superuser never is.
--
-- The setting is read once for each statement, not for each row: that is what `(SELECT …)` does in the policies.

CREATE FUNCTION scope_tenant() RETURNS TEXT LANGUAGE sql STABLE
    AS $$ SELECT NULLIF(current_setting('tegata.tenant', true), '') $$;

CREATE POLICY tenant_scope ON tenant USING ((SELECT scope_tenant()) IS NULL OR id = (SELECT scope_tenant()));
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON site USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE site ENABLE ROW LEVEL SECURITY;
ALTER TABLE site FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON device USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE device ENABLE ROW LEVEL SECURITY;
ALTER TABLE device FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON invitation USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON kitting USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE kitting ENABLE ROW LEVEL SECURITY;
ALTER TABLE kitting FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON licence USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE licence ENABLE ROW LEVEL SECURITY;
ALTER TABLE licence FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON invitation_line USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE invitation_line ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation_line FORCE ROW LEVEL SECURITY;

-- These have no tenant of their own: their device or invitation has.

CREATE POLICY tenant_scope ON certificate USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM device o WHERE o.id = certificate.device AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE certificate ENABLE ROW LEVEL SECURITY;
ALTER TABLE certificate FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON token_family USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM device o WHERE o.id = token_family.device AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE token_family ENABLE ROW LEVEL SECURITY;
ALTER TABLE token_family FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON loss_report USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM device o WHERE o.id = loss_report.device AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE loss_report ENABLE ROW LEVEL SECURITY;
ALTER TABLE loss_report FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON approval USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM invitation o WHERE o.id = approval.invitation AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE approval ENABLE ROW LEVEL SECURITY;
ALTER TABLE approval FORCE ROW LEVEL SECURITY;
