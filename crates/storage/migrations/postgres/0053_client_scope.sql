-- Row-level security for what clients have to hear, as 0041 has it for everything else.

CREATE POLICY tenant_scope ON logout_notice USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE logout_notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE logout_notice FORCE ROW LEVEL SECURITY;
