-- Row-level security for the index of names. A tenant's number is looked up once for each statement.
SELECT tenant_wall('search_name', 'tenant = (SELECT scope_tenant())');
SELECT tenant_wall('search_gram',
    'tenant = (SELECT o.search_number FROM tenant o WHERE o.id = (SELECT scope_tenant()))');
SELECT tenant_wall('file_check',
    'EXISTS (SELECT 1 FROM person o WHERE o.id = file_check.person AND o.tenant = (SELECT scope_tenant()))');
