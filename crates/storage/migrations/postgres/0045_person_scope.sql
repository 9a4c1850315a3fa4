-- Row-level security for people and what is theirs, as 0041 has it for everything else.

CREATE POLICY tenant_scope ON person USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
ALTER TABLE person FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON session USING ((SELECT scope_tenant()) IS NULL OR tenant = (SELECT scope_tenant()));
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
ALTER TABLE session FORCE ROW LEVEL SECURITY;

-- These have no tenant of their own: their person has.

CREATE POLICY tenant_scope ON person_site USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM person o WHERE o.id = person_site.person AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE person_site ENABLE ROW LEVEL SECURITY;
ALTER TABLE person_site FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON credential USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM person o WHERE o.id = credential.person AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE credential ENABLE ROW LEVEL SECURITY;
ALTER TABLE credential FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON person_code USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM person o WHERE o.id = person_code.person AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE person_code ENABLE ROW LEVEL SECURITY;
ALTER TABLE person_code FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON setup_link USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM person o WHERE o.id = setup_link.person AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE setup_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE setup_link FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON person_device USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM person o WHERE o.id = person_device.person AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE person_device ENABLE ROW LEVEL SECURITY;
ALTER TABLE person_device FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_scope ON device_person USING ((SELECT scope_tenant()) IS NULL
    OR EXISTS (SELECT 1 FROM person o WHERE o.id = device_person.person AND o.tenant = (SELECT scope_tenant())));
ALTER TABLE device_person ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_person FORCE ROW LEVEL SECURITY;
