-- Row-level security for who is told by mail, and what they were sent. A tenant sees its own.

CREATE POLICY tenant_scope ON notice_recipient USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE notice_recipient ENABLE ROW LEVEL SECURITY;
ALTER TABLE notice_recipient FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON mail USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE mail ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON renewal_notice USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM device o WHERE o.id = renewal_notice.device AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE renewal_notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE renewal_notice FORCE ROW LEVEL SECURITY;
