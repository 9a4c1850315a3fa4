-- Row-level security for requests and codes, as 0041 has it for everything else. A request that waits nowhere yet is nobody's.

CREATE POLICY tenant_scope ON authorization_code USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM device o WHERE o.id = authorization_code.device AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE authorization_code ENABLE ROW LEVEL SECURITY;
ALTER TABLE authorization_code FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON authorization_request USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM device o WHERE o.id = authorization_request.device AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE authorization_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE authorization_request FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON session_client USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM session o WHERE o.id = session_client.session AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE session_client ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_client FORCE ROW LEVEL SECURITY;
