-- Row-level security for what the console keeps.

CREATE POLICY tenant_scope ON device_change USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE device_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_change FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON kept_answer USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM person o WHERE o.id = kept_answer.person AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE kept_answer ENABLE ROW LEVEL SECURITY;
ALTER TABLE kept_answer FORCE ROW LEVEL SECURITY;
